"""A repository with the suite's files in it, a linked worktree beside it, and the suite as a user runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.dogfood.agents import Script, player
from tests.opencode.scripted_model import Scripted

REPO = Path(__file__).parents[2]
FORBIDDEN = ("clean", "reset", "checkout", "restore", "stash", "rm", "add", "commit", "push", "switch", "gc", "prune")
KEYS = {"DOGFOOD_KEY_WORKER": "sk-of-the-worker", "DOGFOOD_KEY_REVIEWER": "sk-of-the-reviewer"}


class Done(NamedTuple):
    code: int
    out: str
    err: str
    run: Path | None

    @property
    def summary(self) -> dict[str, Any]:
        return self.read("run_summary.json")

    def read(self, name: str) -> dict[str, Any]:
        assert self.run is not None, self
        told: dict[str, Any] = json.loads((self.run / name).read_bytes())
        return told

    def case(self, name: str) -> dict[str, Any]:
        return self.read(f"cases/{name}.result.json")

    @property
    def codes(self) -> dict[str, str]:
        return {one["case_id"]: one["failure_code"] for one in self.summary["cases"] if one["status"] == "FAIL"}


class Ground:
    def __init__(self, folder: Path, binary: str = "false") -> None:
        self.main, self.binary, self.folder = folder / "repository", binary, folder
        self.calls = folder / "git-calls.txt"
        for name in ("scripts/opencode_dogfood", "docs/zz_scratch"):
            shutil.copytree(REPO / name, self.main / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.main / ".gitignore").write_text(".opencode/control-plane/\n__pycache__/\n")
        (self.main / "README.md").write_text("# A repository\n")
        git(self.main, "init", "-q", "-b", "main")
        git(self.main, "add", "-A")
        git(self.main, "commit", "-q", "-m", "first")
        self._wrap_git()

    def worktree(self, name: str = "worktree") -> Path:
        git(self.main, "worktree", "add", "-q", str(self.folder / name), "HEAD")
        return self.folder / name

    @property
    def shelf(self) -> Path:
        return self.main / "artifacts/ledger/opencode_dogfood"

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "scripts/opencode_dogfood/run_suite.py", "--opencode", self.binary, *words]

    def env(self, provider: str = "http://127.0.0.1:9/v1") -> dict[str, str]:
        return {
            **os.environ, **KEYS, "PYTHONPATH": str(REPO), "DOGFOOD_PROVIDER": provider, "DOGFOOD_MODEL": "fake-a",
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "CALLS_OF_GIT": str(self.calls),
        }  # fmt: skip

    def run(self, where: Path, *words: str, model: Scripted | None = None) -> Done:
        env = self.env(model.url) if model is not None else self.env()
        done = subprocess.run(
            self.command(*words), cwd=where, env=env, capture_output=True, text=True, timeout=400, check=False
        )
        line = next((line for line in done.stdout.splitlines() if line.startswith("evidence: ")), "")
        return Done(done.returncode, done.stdout, done.stderr, Path(line.removeprefix("evidence: ")) if line else None)

    def play(self, where: Path, script: Script, *words: str, served: str = "") -> tuple[Done, Scripted]:
        model = Scripted(player(script), served)
        try:
            return self.run(where, *words, model=model), model
        finally:
            model.close()

    def git_calls(self) -> list[list[str]]:
        return [line.split("\t") for line in self.calls.read_text().splitlines()] if self.calls.exists() else []

    def _wrap_git(self) -> None:
        """Every call of git, by whomever, is written down before it is let through."""
        real = shutil.which("git")
        wrapper = self.folder / "bin" / "git"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\n(IFS="\t"; printf "%s\\n" "$*") >> "$CALLS_OF_GIT"\nexec {real} "$@"\n')
        wrapper.chmod(0o755)


def git(where: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=where, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout

"""The real OpenCode for the runner's scenarios; where it cannot be obtained the run says so."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.opencode.world import REPO, Unobtainable, World, obtain, until

PRICES = {"input": 1, "output": 2}
CATALOGUE = "".join(f'[[arms]]\nname = "{name}"\nmodel = "fake/fake-{name}"\n' for name in "ab")
TEST = """import pathlib, unittest
class T(unittest.TestCase):
    def test_hello(self):
        self.assertEqual(pathlib.Path("hello.txt").read_text(), "hi")
"""


class Bench:
    """A project with a test of its own, a scripted model, and `control-plane run` over the real OpenCode."""

    def __init__(self, world: World) -> None:
        self.world, self.project = world, world.project
        (self.project / "control-plane.toml").write_text(CATALOGUE)
        (self.project / "test_it.py").write_text(TEST)
        self.process: subprocess.Popen[bytes] | None = None
        self.output = world.folder / "run.out"

    def write(self) -> str:
        """What makes the test green."""
        return "CALL write " + json.dumps({"filePath": str(self.project / "hello.txt"), "content": "hi"})

    def start(self, task: str, *words: str, quiet_s: float = 100.0, env: dict[str, str] | None = None) -> None:
        command = [
            sys.executable, "-m", "control_plane", "run", "--task", task, "--opencode", self.world.binary, "--headless",
            "--inactivity-timeout", str(quiet_s), "--check", f"{sys.executable} -m unittest -q", *words,
        ]  # fmt: skip
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=self.project, env={**self.world.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(150)

    def run(self, task: str, *words: str, **more: Any) -> int:
        self.start(task, *words, **more)
        return self.wait()

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The JSON lines of that kind, so far."""
        lines = [line for line in self.output.read_text().splitlines() if line.startswith("{")]
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return [one for one in found if one["event"] == kind]

    def until(self, kind: str) -> dict[str, Any]:
        until(lambda: self.told(kind) or self.process is None or self.process.poll() is not None, 150)
        assert self.told(kind), self.output.read_text()
        return self.told(kind)[-1]

    def log(self, topic: str) -> list[dict[str, Any]]:
        return self.world.events(f"runner.{topic}")

    def no_process_left(self) -> None:
        """Nothing that was started for this project is alive, however the run ended."""
        until(lambda: not self.processes(), 30)

    def processes(self) -> list[str]:
        """By their working folder or their words, whoever their parent is now."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if Path(os.readlink(entry / "cwd")).is_relative_to(self.world.folder):
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                    if state != "Z":
                        found.append((entry / "cmdline").read_text())
        return found

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        self.world.close()


@pytest.fixture
def bench(tmp_path: Path, could_not_run: Callable[[str], NoReturn]) -> Iterator[Bench]:
    try:
        binary = obtain()
    except Unobtainable as lacking:
        could_not_run(str(lacking))
    bench = Bench(World(binary, tmp_path, cost=PRICES))
    try:
        yield bench
    finally:
        bench.close()


def elapsed(began: float) -> float:
    return time.monotonic() - began


__all__ = ["REPO", "Bench", "elapsed"]

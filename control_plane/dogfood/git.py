"""What the suite asks git: reading, and the removal of a worktree; nothing else is possible here."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from ..errors import ControlPlaneError

LIMIT_S = 60.0
READING = frozenset(("rev-parse", "status", "diff"))
WORKTREE = frozenset(("list", "remove"))


class DogfoodError(ControlPlaneError):
    """The suite cannot go on."""

    code = "dogfood"


class GitFailed(DogfoodError):
    """What git cannot answer counts as not allowed."""

    code = "dogfood.git"


class Place(NamedTuple):
    """Where a run happens, as git sees it."""

    root: Path
    main: Path
    linked: bool
    told: str


class Git:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Nothing in the environment may point git elsewhere.
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._env |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}

    def ask(self, *words: str) -> bytes:
        if words[0] not in READING and not (words[0] == "worktree" and words[1] in WORKTREE):
            raise GitFailed(f"git {words[0]} is nothing that the suite does")
        if any(word in ("-f", "--force", "--hard") for word in words):
            raise GitFailed("the suite never forces git")
        command = ["git", "-C", str(self.folder), *words]
        try:
            done = subprocess.run(  # noqa: S603 - words of our own
                command, env=self._env, capture_output=True, timeout=LIMIT_S,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as fault:
            raise GitFailed("git cannot be run", why=str(fault), cure="install git 2.30 or newer") from None
        if done.returncode:
            why = done.stderr.decode("utf-8", "replace").strip()[:300]
            raise GitFailed(f"git {words[0]} ended with {done.returncode}", why=why)
        return done.stdout

    def line(self, *words: str) -> str:
        return os.fsdecode(self.ask(*words)).rstrip("\n")

    def head(self) -> str:
        return self.line("rev-parse", "--verify", "HEAD^{commit}")

    def status(self) -> bytes:
        return self.ask("status", "--porcelain")

    def name_status(self) -> bytes:
        return self.ask("diff", "--name-status")

    def pending(self) -> list[str]:
        """Every path that is not as it was committed, one by one."""
        fields = iter(os.fsdecode(self.ask("status", "--porcelain", "-z", "--untracked-files=all")).split("\0"))
        found = []
        for field in fields:
            if field:
                found.append(field[3:])
                if field[0] in "RC":
                    found.append(next(fields, ""))
        return sorted(found, key=os.fsencode)

    def remove_worktree(self, root: Path) -> None:
        """Without force: git refuses where something would be lost."""
        self.ask("worktree", "remove", str(root))

    def place(self) -> Place:
        """Linked only when git itself keeps this very folder among its worktrees."""
        root = Path(self.line("rev-parse", "--show-toplevel")).resolve()
        own = Path(self.line("rev-parse", "--absolute-git-dir")).resolve()
        common = (self.folder / self.line("rev-parse", "--git-common-dir")).resolve()
        listed = self._worktrees()
        linked = own != common and own.parent == common / "worktrees" and root in listed[1:]
        main = listed[0] if listed and (listed[0] / ".git").exists() else root
        told = (
            f"git dir is the common dir: {'yes' if own == common else 'no'}\n"
            f"git dir lies in worktrees/ of the common dir: {'yes' if own.parent == common / 'worktrees' else 'no'}\n"
            f"git lists this folder as a linked worktree: {'yes' if root in listed[1:] else 'no'}\n"
            f"linked worktree: {'yes' if linked else 'no'}\n"
        )
        return Place(root, main, linked, told)

    def _worktrees(self) -> list[Path]:
        """The main one first, as git lists them."""
        lines = os.fsdecode(self.ask("worktree", "list", "--porcelain")).splitlines()
        return [Path(line.removeprefix("worktree ")).resolve() for line in lines if line.startswith("worktree ")]

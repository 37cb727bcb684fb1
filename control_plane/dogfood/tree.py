"""What lies in a worktree, and what changed between two looks; git's index is not asked, for an agent can write it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .git import Git

# What a mere look at code leaves behind.
IGNORED = frozenset((".git", "__pycache__"))


class Changes(NamedTuple):
    """In C-locale order."""

    created: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.created or self.modified or self.deleted)


Look = dict[str, tuple[object, ...]]


def look(root: Path, git: Git, evidence: Path) -> Look:
    """Every file with what no writer can put back: the time of the last change of its inode."""
    found: Look = {}
    for path in _files(root, evidence):
        seen = path.lstat()
        link = os.readlink(path) if stat.S_ISLNK(seen.st_mode) else ""
        found[path.relative_to(root).as_posix()] = (
            seen.st_size, seen.st_mode, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, link,
        )  # fmt: skip
    told = git.line("rev-parse", "--git-common-dir", "HEAD", "--symbolic-full-name", "HEAD").splitlines()
    found[".git/HEAD"], common = tuple(told[1:]), (root / told[0]).resolve()
    for path in (common / "config", *sorted((common / "hooks").glob("*"))):
        if path.exists():
            seen = path.lstat()
            found[f".git/{path.relative_to(common).as_posix()}"] = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return found


def changes(before: Look, after: Look) -> Changes:
    def ordered(names: set[str]) -> tuple[str, ...]:
        return tuple(sorted(names, key=os.fsencode))

    both = before.keys() & after.keys()
    return Changes(
        ordered(after.keys() - before.keys()),
        ordered({name for name in both if before[name] != after[name]}),
        ordered(before.keys() - after.keys()),
    )


def _files(root: Path, evidence: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        for name in list(folders):
            if (here / name).is_symlink():
                files.append(name)
        folders[:] = [name for name in folders if name not in IGNORED and here / name != evidence]
        # A linked worktree's .git is a file: where it points is a fact like any other.
        yield from (here / name for name in files)

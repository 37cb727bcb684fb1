"""The workspace as a hash: what git would not ignore by habit, by content, read again only where a file changed."""

import os
import stat
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

LEFT_OUT = frozenset(
    (".git", ".hg", ".svn", "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv",
     "venv", ".tox", ".nox", ".cache", ".opencode", "target", ".next", ".gradle", ".idea", ".hypothesis", "coverage")
)  # fmt: skip
_SUFFIXES = (".pyc", ".pyo", ".swp", ".log", ".tmp", "~")
_NAMES = frozenset((".coverage", ".DS_Store"))
READING = frozenset(("read", "grep", "glob", "list", "ls", "webfetch", "websearch", "todowrite", "todoread", "skill"))


class Tree:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[tuple[int, int, int], bytes]] = {}
        self.files = self.snapshot()

    def snapshot(self) -> dict[str, bytes]:
        """Every file with its digest."""
        found: dict[str, bytes] = {}
        for path, told in self._walk(str(self.folder)):
            key = (told.st_size, told.st_mtime_ns, told.st_ino)
            known = self._known.get(path)
            if known is None or known[0] != key:
                known = key, _digest(path, told)
                self._known[path] = known
            found[os.path.relpath(path, self.folder)] = known[1]
        return found

    def hash(self) -> str:
        told = blake2b(digest_size=16)
        for path, digest in sorted(self.snapshot().items()):
            told.update(path.encode("utf-8", "surrogateescape") + b"\0" + digest)
        return told.hexdigest()

    def changed(self) -> tuple[str, ...]:
        """What was added, changed or removed since this began."""
        now = self.snapshot()
        return tuple(sorted(path for path in self.files.keys() | now.keys() if self.files.get(path) != now.get(path)))

    def _walk(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in LEFT_OUT:
                    yield from self._walk(entry.path)
            elif not entry.name.endswith(_SUFFIXES) and entry.name not in _NAMES:
                try:
                    yield entry.path, entry.stat(follow_symlinks=False)
                except OSError:
                    continue


def _digest(path: str, told: os.stat_result) -> bytes:
    if not stat.S_ISREG(told.st_mode):
        return b"other"
    hashed = blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                hashed.update(chunk)
    except OSError:
        return b"unreadable"
    return hashed.digest()

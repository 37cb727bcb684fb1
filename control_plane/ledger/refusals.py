"""What the operating system refuses, and what has to be mended before it no longer does."""

import errno
import importlib
import os
import shlex
import shutil
from pathlib import Path

from ..errors import HomeReadOnly, LedgerUnavailable

RETRY = "try again; nothing was lost"
_FULL = ("disk is full", "no space left", "disk quota")
# What SQLite says of any write that failed, whatever failed it.
_VAGUE = "disk i/o error"
_LITTLE = 1 << 20


def refusal(what: str, fault: Exception, *paths: Path) -> HomeReadOnly | LedgerUnavailable:
    """The fault in our own words; `paths` are the files that have to be read and written."""
    rights = missing_right(*paths)
    if rights:
        return HomeReadOnly(what, why=str(fault), cure=rights)
    return LedgerUnavailable(what, why=str(fault), cure=cure_of(fault, *paths) or RETRY)


def missing_right(*paths: Path) -> str:
    """How to open the first of these files that is there and that its own mode keeps from us; empty without one."""
    for path in paths:
        if path.exists() and not os.access(path, os.R_OK | os.W_OK) and path.stat().st_mode & 0o600 != 0o600:
            return f"give this user the right to read and write it: `chmod u+rw {shlex.quote(str(path))}`"
    return ""


def with_log(database: Path) -> tuple[Path, ...]:
    """A database and the files that SQLite keeps beside it, with the rights that it had when they were made."""
    return tuple(database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm"))


def cure_of(fault: Exception, *paths: Path) -> str:
    """What makes room for a file, empty when it was not room that lacked."""
    number, said = getattr(fault, "errno", None), str(fault).lower()
    vague = _VAGUE in said
    if number in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)) or any(word in said for word in _FULL):
        return "free some disk, then try again"
    if number == errno.EFBIG or (vague and _limited()):
        return "let files be larger (`ulimit -f unlimited`), then try again"
    if vague and any(_room(path) < _LITTLE for path in paths[:1]):
        return "free some disk, then try again"
    return ""


def _limited() -> bool:
    try:
        resource = importlib.import_module("resource")
    except ImportError:
        return False
    return bool(resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY)


def _room(path: Path) -> int:
    place = next(folder for folder in path.absolute().parents if folder.exists())
    return shutil.disk_usage(place).free

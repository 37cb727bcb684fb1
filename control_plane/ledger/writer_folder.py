"""The folder in which one writer keeps its journal, and the lock that says that it lives."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import HomeReadOnly
from .flock import lock

LOCK = "lock"


def make_folder(folder: Path) -> int:
    """The folder of one writer and its lock, taken; nobody ever sees the one without the other."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with settling(folder.parent):
            folder.mkdir(mode=0o700)
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            lock(handle)
    except OSError as fault:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise HomeReadOnly(f"the journal folder {folder} cannot be made", why=os.strerror(fault.errno or 0)) from None
    return handle


def remove_folder(folder: Path, handle: int) -> None:
    """The lock goes last, so that a removal that dies half way is taken up by the next process."""
    with settling(folder.parent):
        os.close(handle)
        # Windows deletes no file that anybody looks at.
        with contextlib.suppress(PermissionError):
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


@contextlib.contextmanager
def settling(journals: Path) -> Iterator[None]:
    """Hold the folder of all journals for the moment in which one of them appears or is claimed."""
    handle = _open_folder(journals)
    try:
        lock(handle)
        yield
    finally:
        os.close(handle)


def _open_folder(folder: Path) -> int:
    if hasattr(os, "O_DIRECTORY"):
        return os.open(folder, os.O_RDONLY)
    # Windows opens no folder; a file beside it stands for it.
    return os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)

"""The operating system's file locks, which die with their holder."""

import errno
import importlib
import os
from typing import Any

from ..errors import HomeUnusable

# A lock of Windows keeps readers out too: it is taken where nobody ever reads.
_FAR = 0x7FFF_FFF0


def _there(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_posix, _windows = _there("fcntl"), _there("msvcrt")


def lock(handle: int, *, wait: bool = True) -> bool:
    """Hold the file until its last handle is closed; False when somebody else holds it and we do not wait."""
    if _posix is not None:
        return _flock(handle, wait)
    if _windows is not None:
        return _lock_a_byte(handle, wait)
    raise HomeUnusable("this platform has no file locks", why="a home needs them", cure="use Linux, macOS or Windows")


def _flock(handle: int, wait: bool) -> bool:
    try:
        _posix.flock(handle, _posix.LOCK_EX if wait else _posix.LOCK_EX | _posix.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_a_byte(handle: int, wait: bool) -> bool:
    before = os.lseek(handle, 0, os.SEEK_CUR)
    try:
        while True:
            os.lseek(handle, _FAR, os.SEEK_SET)
            try:
                _windows.locking(handle, _windows.LK_LOCK if wait else _windows.LK_NBLCK, 1)
            except OSError as fault:
                if not wait and fault.errno == errno.EACCES:
                    return False
                # Windows gives up after ten seconds; whoever waits here does not.
                if not wait or fault.errno != errno.EDEADLK:
                    raise
            else:
                return True
    finally:
        os.lseek(handle, before, os.SEEK_SET)

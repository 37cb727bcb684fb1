"""As much of Windows as another system can pretend, for a process that imports this before anything of ours.

Modules and names that only POSIX has are gone; folders cannot be opened, and no file can be deleted, moved or replaced
while this process has it open; file locks are those of `msvcrt`.
"""

# What these import from the real system they keep.
import asyncio  # noqa: F401
import concurrent.futures.thread  # noqa: F401
import errno
import functools
import logging.handlers  # noqa: F401
import multiprocessing.util  # noqa: F401
import os
import random  # noqa: F401
import shutil  # noqa: F401
import signal
import socket
import sqlite3  # noqa: F401
import ssl  # noqa: F401
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401
import uuid  # noqa: F401
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = (
    "fcntl", "pwd", "grp", "resource", "pty", "tty", "termios", "syslog", "readline", "curses", "uvloop",
    "_posixsubprocess",
)  # fmt: skip
NAMES: dict[ModuleType, tuple[str, ...]] = {
    os: (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "posix_fallocate", "register_at_fork", "fork", "forkpty", "killpg",
        "getpgid", "setsid", "geteuid", "getuid", "getgid", "getegid", "fchmod", "fchown", "chown", "pread", "pwrite",
        "uname", "getloadavg", "sched_getaffinity", "sched_yield", "mkfifo", "nice", "sync",
        "fdatasync", "set_blocking", "posix_spawn", "sendfile",
    ),
    signal: ("SIGKILL", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGQUIT", "pthread_sigmask"),
    socket: ("AF_UNIX",),
}  # fmt: skip


def _locks() -> ModuleType:
    import fcntl

    module: Any = ModuleType("msvcrt")
    module.LK_UNLCK, module.LK_LOCK, module.LK_NBLCK, module.LK_RLCK, module.LK_NBRLCK = range(5)

    def locking(handle: int, mode: int, size: int) -> None:
        # Windows locks the bytes that follow; whoever locked the first ones would keep readers out.
        assert os.lseek(handle, 0, os.SEEK_CUR) > 1 << 30
        assert size == 1
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # After ten seconds there, at once here.
            raise OSError(errno.EACCES if mode == module.LK_NBLCK else errno.EDEADLK, "locked") from None

    module.locking = locking
    return module


def _open_here(path: str) -> bool:
    """Whether this process has that file, or one below it, open or mapped."""
    held = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            held.append(os.readlink(handle))
        except OSError:
            continue
    real = os.path.realpath(path)
    return any(one == real or one.startswith(f"{real}{os.sep}") for one in held)


def _refusing(do: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(do)
    def refuse(*places: Any, **more: Any) -> Any:
        for place in places[:2]:
            if isinstance(place, (str, os.PathLike)) and _open_here(os.fspath(place)):
                raise PermissionError(errno.EACCES, "another handle has it open", os.fspath(place))
        return do(*places, **more)

    return refuse


def _without_folders(open_it: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(open_it)
    def refuse(path: Any, *more: Any, **named: Any) -> int:
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "a folder cannot be opened", path)
        return open_it(path, *more, **named)

    return refuse


def pretend() -> None:
    sys.modules["msvcrt"] = _locks()
    socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)  # type: ignore[assignment]
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in NAMES.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    os.open = _without_folders(os.open)  # type: ignore[assignment]
    for name in ("unlink", "remove", "rmdir", "rename", "replace"):
        setattr(os, name, _refusing(getattr(os, name)))

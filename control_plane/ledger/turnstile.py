"""Processes that write one SQLite file take turns: SQLite lets a busy one in again and again while another waits."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import HomeUnusable
from .flock import lock


@contextlib.contextmanager
def turn(database: str) -> Iterator[None]:
    """Held only while waiting for the write lock, so that whoever waits gets it next; where it cannot be, all compete.

    A lock file of its own: closing a second handle of the database would give up SQLite's locks on it.
    """
    handle = None
    if database:
        with contextlib.suppress(OSError):
            handle = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if handle is not None:
            with contextlib.suppress(OSError, HomeUnusable):
                lock(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


class Turns:
    """Who decides on what is known holds the turn until it is written: the others of this home wait, none is overtaken.

    Without it, one that decides without a pause is first each time, and the other's attempts all come too late.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file, self._held, self._depth = file, threading.RLock(), 0

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        with self._held, contextlib.ExitStack() as undo:
            if self._file is not None and not self._depth:
                undo.enter_context(turn(str(self._file)))
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

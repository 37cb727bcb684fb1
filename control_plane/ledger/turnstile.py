"""Processes that write one SQLite file take turns: SQLite lets a busy one in again and again while another waits."""

import contextlib
import os
from collections.abc import Iterator

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
            handle = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if handle is not None:
            with contextlib.suppress(OSError, HomeUnusable):
                lock(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)

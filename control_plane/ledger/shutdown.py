"""When the process ends in good order, or is asked to end by SIGTERM, what was recorded goes into the ledger first."""

import _thread
import atexit
import contextlib
import os
import signal
import threading
import weakref
from types import FrameType
from typing import Protocol

from ..errors import ControlPlaneError

# Whoever asks a process to end seldom waits longer than ten seconds; the journal keeps what does not fit in.
PATIENCE = 5.0


class Flushed(Protocol):
    def flush(self, timeout: float | None = None) -> None: ...
    def close(self) -> None: ...


_watched: "weakref.WeakSet[Flushed]" = weakref.WeakSet()


def watch(ledger: Flushed) -> None:
    """Flush this ledger at the end; SIGTERM is taken only while it has no handler, and only by the main thread."""
    _watched.add(ledger)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _flush_and_die)


def forget(ledger: Flushed) -> None:
    _watched.discard(ledger)
    last = not _watched and threading.current_thread() is threading.main_thread()
    if last and signal.getsignal(signal.SIGTERM) == _flush_and_die:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@atexit.register
def _close_all() -> None:
    for ledger in list(_watched):
        with contextlib.suppress(ControlPlaneError):
            ledger.close()


def _flush_and_die(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    try:
        # The interrupted thread may hold the locks that a flush needs, so another one has to wait for it.
        _thread.start_new_thread(_last_flush, (number, list(_watched)))
    except RuntimeError:
        os.kill(os.getpid(), number)


def _last_flush(number: int, ledgers: list[Flushed]) -> None:
    try:
        for ledger in ledgers:
            # One that was closed in the meantime has been flushed.
            with contextlib.suppress(ControlPlaneError):
                ledger.flush(PATIENCE)
    finally:
        os.kill(os.getpid(), number)

"""Who folds hears of this process's commits: each once, in the order of positions, in the thread that committed."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .backend import Row
from .commit import Commit

# What a commit tells: consecutive rows, made as they are looked at. What is missing between two calls was committed by
# another process, or a listener failed on it: whoever must not miss it reads it from the ledger, by position.
OnCommit = Callable[[Sequence[Row]], None]


class Announcer:
    def __init__(self, on_fault: Callable[[Exception], None]) -> None:
        self._listeners: tuple[OnCommit, ...] = ()
        self._on_fault = on_fault
        self._waiting: deque[Commit] = deque()
        self._ordering = threading.RLock()
        self._telling = threading.Lock()
        self._teller = 0
        self._last = 0

    def listen(self, listener: OnCommit) -> None:
        self._listeners = (*self._listeners, listener)

    @property
    def inside(self) -> bool:
        """Whether this thread is just calling a listener."""
        return self._teller == threading.get_ident()

    @contextmanager
    def ordered(self) -> Iterator[deque[Commit]]:
        """Commit and queue the rows in here, then `tell`: no other commit of this process comes in between."""
        with self._ordering:
            yield self._waiting

    def tell(self) -> None:
        """Call the listeners with what waits; what a listener commits itself is told after the round that it is in."""
        if self.inside:
            return
        with self._telling:
            self._teller = threading.get_ident()
            try:
                while self._waiting:
                    self._call(self._waiting.popleft())
            finally:
                self._teller = 0

    def _call(self, rows: Commit) -> None:
        # Found late, after a commit whose outcome was unknown: listeners have read it as a gap by now.
        if rows[0].position <= self._last:
            return
        self._last = rows[-1].position
        for listener in self._listeners:
            try:
                listener(rows)
            except Exception as fault:
                self._on_fault(fault)

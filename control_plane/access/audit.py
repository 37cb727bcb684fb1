"""Keeps a record of refusals that somebody who knocks a thousand times a second cannot flood."""

import threading
from collections.abc import Callable

from ..clock import Clock
from ..ledger.events import Event
from .events import AccessRefused

EVERY_S = 1.0
LONGEST_PATH = 200


class Audit:
    def __init__(self, record: Callable[[Event], None], clock: Clock) -> None:
        self._record, self._clock = record, clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def refused(self, path: str, code: str) -> None:
        """The first of each code is written at once, the next ones by their count, once a second."""
        now = self._clock.now()
        with self._lock:
            if now - self._said.get(code, float("-inf")) < EVERY_S:
                self._unsaid[code] = self._unsaid.get(code, 0) + 1
                return
            self._said[code] = now
            count = 1 + self._unsaid.pop(code, 0)
        self._record(AccessRefused(at=now, path=path[:LONGEST_PATH], code=code, count=count))

    def flush(self) -> None:
        """Write what was only counted so far."""
        with self._lock:
            unsaid, self._unsaid = self._unsaid, {}
        for code, count in unsaid.items():
            self._record(AccessRefused(at=self._clock.now(), path="", code=code, count=count))

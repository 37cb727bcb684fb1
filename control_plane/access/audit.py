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
        self._said: dict[tuple[str, str], float] = {}
        self._unsaid: dict[tuple[str, str], int] = {}

    def refused(self, path: str, code: str, reason: str = "") -> None:
        """The first of each kind is written at once, the next ones by their count, once a second."""
        now, kind = self._clock.now(), (code, reason)
        with self._lock:
            if now - self._said.get(kind, float("-inf")) < EVERY_S:
                self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
                return
            self._said[kind] = now
            count = 1 + self._unsaid.pop(kind, 0)
        self._record(AccessRefused(at=now, path=path[:LONGEST_PATH], code=code, count=count, reason=reason))

    def flush(self) -> None:
        """Write what was only counted so far."""
        with self._lock:
            unsaid, self._unsaid = self._unsaid, {}
        for (code, reason), count in unsaid.items():
            self._record(AccessRefused(at=self._clock.now(), path="", code=code, count=count, reason=reason))

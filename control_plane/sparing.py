"""Tells the first of a kind at once and the next by their count: a thousand knocks a second flood nothing."""

import threading
from collections import Counter
from typing import Generic, TypeVar

EVERY_S, MOST = 1.0, 10_000
K = TypeVar("K")


class Sparing(Generic[K]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[K, float] = {}
        self._untold = Counter[K]()

    def due(self, kind: K, now: float) -> int:
        """How many are to be told now, this one among them; 0 while it is only counted."""
        with self._lock:
            told = self._told.get(kind)
            # A clock that was set back must not silence anything until it is where it was.
            if told is not None and abs(now - told) < EVERY_S:
                self._untold[kind] += 1
                return 0
            if len(self._told) >= MOST:
                self._told.clear()
            self._told[kind] = now
            return 1 + self._untold.pop(kind, 0)

    def rest(self) -> list[tuple[K, int]]:
        """What was only counted so far."""
        with self._lock:
            untold, self._untold = self._untold, Counter[K]()
        return list(untold.items())

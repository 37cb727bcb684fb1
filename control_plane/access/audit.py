"""Keeps a record of refusals that somebody who knocks a thousand times a second cannot flood."""

from collections.abc import Callable

from ..clock import Clock
from ..ledger.events import Event
from ..sparing import Sparing
from .events import AccessRefused

LONGEST_PATH = 200


class Audit:
    def __init__(self, record: Callable[[Event], None], clock: Clock) -> None:
        self._record, self._clock = record, clock
        self._sparing = Sparing[tuple[str, str]]()

    def refused(self, path: str, code: str, reason: str = "") -> None:
        """The first of each kind is written at once, the next ones by their count, once a second."""
        now = self._clock.now()
        if count := self._sparing.due((code, reason), now):
            self._record(AccessRefused(at=now, path=path[:LONGEST_PATH], code=code, count=count, reason=reason))

    def flush(self) -> None:
        """Write what was only counted so far."""
        for (code, reason), count in self._sparing.rest():
            self._record(AccessRefused(at=self._clock.now(), path="", code=code, count=count, reason=reason))

"""When a beat falls: in a slot that nobody else has, or, with coordination switched off, whenever it would anyway."""

import math
from typing import Protocol

# Fine enough for a thousand polls a second to fill a fifth of the day.
SLOT = 0.0002
# Long intervals begin within a minute: a process may not live for a day.
SPREAD = 60.0
_GOLDEN = (math.sqrt(5) - 1) / 2


class Timetable(Protocol):
    """Decides when each beat falls."""

    def phase(self, seat: int, interval: float) -> float:
        """How long after its registration the beats of a poll begin; `seat` counts the polls."""

    def book(self, target: float, earliest: float) -> float:
        """The time near `target` at which the beat falls."""

    def release(self, due: float) -> None:
        """The beat that was booked is over, or will not be."""


class Staggered:
    """Phases spread evenly, and each beat in the free slot nearest to its own grid.

    Fixed phases cannot keep co-prime intervals apart: they meet sooner or later. So every single beat is booked,
    and because it is booked from the poll's own grid, stepping aside never adds up.
    """

    def __init__(self, slot: float = SLOT) -> None:
        self._slot = slot
        self._taken: set[int] = set()

    def phase(self, seat: int, interval: float) -> float:
        # Multiples of the golden ratio fill a circle evenly, however many there will be.
        return (seat + 1) * _GOLDEN % 1.0 * min(interval, SPREAD)

    def book(self, target: float, earliest: float) -> float:
        first = math.ceil(earliest / self._slot)
        wanted = max(first, round(target / self._slot))
        slot = self._nearest_free(wanted, first)
        self._taken.add(slot)
        return slot * self._slot

    def release(self, due: float) -> None:
        self._taken.discard(round(due / self._slot))

    def _nearest_free(self, wanted: int, first: int) -> int:
        taken, away = self._taken, 0
        while True:
            if wanted + away not in taken:
                return wanted + away
            away += 1
            if wanted - away >= first and wanted - away not in taken:
                return wanted - away


class OwnTimers:
    """What a process without a scheduler does: each timer starts when it is made, and none knows of the others."""

    def phase(self, seat: int, interval: float) -> float:  # noqa: ARG002 - a timer does not know how many came before
        return interval

    def book(self, target: float, earliest: float) -> float:
        return max(target, earliest)

    def release(self, due: float) -> None:
        """Nothing was held."""

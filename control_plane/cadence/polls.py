"""What is done again and again, by whom and how often."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ..errors import BadInput

LONGEST_BACKOFF = 60.0


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """One recurring piece of work. A function that blocks says `threaded`, and leaves the event loop alone."""

    name: str
    owner: str
    interval: float
    run: Callable[[], Awaitable[Any] | None]
    # The share of the interval within which each beat falls at random: for polls that many processes make.
    jitter: float = 0.0
    longest_backoff: float = LONGEST_BACKOFF
    threaded: bool = False

    def check(self) -> None:
        for fault, why in (
            (not self.name or not self.owner, "it needs a name and an owner"),
            (not (math.isfinite(self.interval) and self.interval > 0), "the interval is a time above zero"),
            (not 0 <= self.jitter <= 1, "jitter is a share of the interval, from 0 to 1"),
            (not self.longest_backoff > 0, "the longest back-off is a time above zero"),
        ):
            if fault:
                raise BadInput(f"the poll {self.name!r} of {self.owner!r} cannot be scheduled", why=why)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `cadence list`: times in seconds, `due_in` from now."""

    name: str
    owner: str
    interval: float
    phase: float
    due_in: float
    jitter: float
    running: bool
    ticks: int
    overlaps: int
    missed: int
    failures: int
    failing_for: int
    last_fault: str

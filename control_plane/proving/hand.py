"""A clock whose wall time is set by hand, so that an hour of traffic takes a second; waiting stays real."""

from ..clock import Clock


class HandClock(Clock):
    """A clock that stands still until somebody lets time pass."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += seconds

"""Time and ids come from outside: the real ones here, or those that a test or a replay chooses."""

import os
import threading
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Clock:
    """Wall time for facts, monotonic time for waiting; both can be replaced together."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until the event is set or the time is up; True when it was set."""
        return event.wait(timeout)


class VirtualClock(Clock):
    """Time that passes only when somebody moves it; it begins at a round hour, not at zero, where bugs hide."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._start, self._passed = start, 0.0

    def now(self) -> float:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        self._passed += seconds

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Nothing else moves while we wait, so an event that is not set by now costs the whole timeout."""
        if not event.is_set():
            self.advance(timeout)
        return event.is_set()


def new_id(now: float) -> str:
    """A ULID: 48 bits of milliseconds, then 80 random bits; sorts by time as text."""
    number = int(now * 1000) << 80 | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))

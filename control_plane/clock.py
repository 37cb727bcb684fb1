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


def new_id(now: float) -> str:
    """A ULID: 48 bits of milliseconds, then 80 random bits; sorts by time as text."""
    number = int(now * 1000) << 80 | int.from_bytes(os.urandom(10))
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))

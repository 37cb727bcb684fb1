"""How much one check may cost: beyond that a command counts as one that cannot be read."""

from time import thread_time

MOST_SECONDS, MOST_ENTRIES = 1.0, 100_000


class TooMuch(Exception):
    """Reading on would cost more than a check may."""


class Effort:
    """Seconds of this thread's own work, so that a busy machine changes no decision, and entries on the disk."""

    def __init__(self, seconds: float = MOST_SECONDS, entries: int = MOST_ENTRIES) -> None:
        self._until, self._entries = thread_time() + seconds, entries

    def spend(self, entries: int = 0) -> None:
        self._entries -= entries
        if self._entries < 0 or thread_time() > self._until:
            raise TooMuch

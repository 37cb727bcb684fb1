"""How much one check may cost: beyond that a command counts as one that cannot be read."""

from time import thread_time

MOST_SECONDS, MOST_ENTRIES, MOST_TEXT = 1.0, 100_000, 16 << 20


class TooMuch(Exception):
    """Reading on would cost more than a check may."""


class Effort:
    """Seconds of this thread's own work, so that a busy machine changes no decision; entries on the disk; text made."""

    def __init__(self) -> None:
        self._until, self._entries, self._text = thread_time() + MOST_SECONDS, MOST_ENTRIES, MOST_TEXT

    def spend(self, *, entries: int = 0, text: int = 0) -> None:
        self._entries -= entries
        self._text -= text
        if self._entries < 0 or self._text < 0 or thread_time() > self._until:
            raise TooMuch

"""How far long work has come: one line on a terminal, nothing in a pipe, and a sentence when it is broken off."""

import time
from collections.abc import Callable
from typing import TextIO

_EVERY = 0.1


class Progress:
    """Called with what is done and what there is in all; remembers both."""

    def __init__(self, done: str, unit: str) -> None:
        self.verb, self.unit = done, unit
        self.done = self.total = 0

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def clear(self) -> None:
        """Leave the line as it was before."""

    def sentence(self) -> str:
        """What was done so far; empty before anything was."""
        return f"{self.verb} {self.done:,} of {self.total:,} {self.unit}" if self.total else ""


class Silent(Progress):
    """Nobody looks on."""


class TerminalProgress(Progress):
    def __init__(self, stream: TextIO, done: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(done, unit)
        self._stream, self._clock = stream, clock
        self._began = clock()
        self._shown_at = float("-inf")
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        super().__call__(done, total)
        now = self._clock()
        if now - self._shown_at >= _EVERY:
            self._shown_at, self._shown = now, True
            self._stream.write(f"\r\033[K{self._line(now - self._began)}")
            self._stream.flush()

    def clear(self) -> None:
        if self._shown:
            self._shown = False
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _line(self, elapsed: float) -> str:
        share = self.done / self.total if self.total else 0.0
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = f" · {_duration((self.total - self.done) / rate)} left" if rate else ""
        return f"{self.sentence()} · {share:.0%} · {rate:,.0f}/s{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"

"""How often the newest numbers repeat those before, for every period at once; a new number costs next to nothing."""

from collections import deque
from collections.abc import Iterator


class Cycles:
    """`run[p]` counts the newest numbers that each equal the one p before."""

    def __init__(self, longest: int) -> None:
        self._recent: deque[int] = deque(maxlen=longest)
        self._runs = [0] * (longest + 1)
        self._running = False
        self._periods = range(2, longest + 1)

    def push(self, number: int) -> bool:
        """Whether any period goes on with it."""
        recent = self._recent
        if number not in recent:
            if self._running:
                self._runs = [0] * len(self._runs)
                self._running = False
        else:
            runs = self._runs
            for period, before in enumerate(recent, 1):
                runs[period] = runs[period] + 1 if before == number else 0
            self._running = True
        recent.appendleft(number)
        return self._running

    def grown(self, same: int, cycles: int) -> Iterator[tuple[int, int]]:
        """(period, whole repetitions) of those that repeat so often, the shortest first."""
        runs = self._runs
        if runs[1] >= same - 1:
            yield 1, runs[1] + 1
        for period in self._periods:
            if runs[period] >= period * (cycles - 1):
                yield period, runs[period] // period + 1

    def length(self, period: int) -> int:
        """How many of the newest numbers belong to the run."""
        return self._runs[period] + period

    def forget(self) -> None:
        self._recent.clear()
        self._runs = [0] * len(self._runs)
        self._running = False

"""How long the server's event loop was kept from its work: a call that is due at a fixed time, and how late it came."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

# While requests come; without any there is nobody to hold up.
BUSY_S: Final = 0.005
IDLE_S: Final = 0.1


class LoopWatch:
    """Tells each lateness in seconds; a block that is longer than the interval cannot slip through."""

    def __init__(
        self, told: Callable[[float], None], requests: Callable[[], int], now: Callable[[], float] = monotonic
    ) -> None:
        self._told, self._requests, self._now = told, requests, now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.TimerHandle | None = None
        self._due, self._seen = 0.0, 0

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wait(BUSY_S)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait(self, seconds: float) -> None:
        assert self._loop is not None
        # The loop's own clock may stand still while a callback runs.
        self._due = self._now() + seconds
        self._next = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._told(max(0.0, self._now() - self._due))
        seen, self._seen = self._seen, self._requests()
        self._wait(BUSY_S if self._seen != seen else IDLE_S)

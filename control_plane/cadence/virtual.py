"""An event loop whose time is a virtual clock's: when nothing is left to do, the clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import anyio

from ..clock import VirtualClock

# Who sleeps for ever sets a timer too; by then, nobody is expected to be awake.
_END_OF_TIME = 10 * 365 * 86_400.0

T = TypeVar("T")
Args = TypeVarTuple("Args")


class NothingLeft(AssertionError):
    """Every task waits for something that will never happen."""


class _Jump(selectors.SelectSelector):
    """Waits for no time at all: what the loop would have slept, the clock is moved."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock, self._end = clock, clock.monotonic() + _END_OF_TIME

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or self._clock.monotonic() > self._end):
            # The loop comes back to cancel its tasks, and needs time for that too.
            self._end += _END_OF_TIME
            raise NothingLeft("virtual time has come to its end: every task waits, and no timer will wake one")
        if not ready and timeout:
            self._clock.advance(timeout)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_Jump(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.monotonic()


def run_virtually(clock: VirtualClock, main: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
    """Run `main` to its end; hours pass in milliseconds. Threads are outside this world: do not wait for one."""
    return anyio.run(main, *args, backend_options={"loop_factory": lambda: _VirtualLoop(clock)})

"""One task that starts every poll of the process at its time, one after another, and knows how each of them does."""

import heapq
import inspect
import math
import random
from collections.abc import Awaitable
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread

from ..clock import Clock
from ..errors import BadInput
from .polls import Entry, Poll
from .telemetry import Summary, Telemetry
from .timetable import SLOT, OwnTimers, Staggered, Timetable

# The next poll waits for the one before it, but for no longer than this: a slow one must not hold up the others.
TURN = 0.05
GRACE = 5.0
# Timers of an event loop may fire this much early; napping again for it would double the work.
_EARLY = 1e-6


class _Seat:
    """A poll with its place in the timetable and its own counts."""

    def __init__(self, poll: Poll, anchor: float, phase: float) -> None:
        self.poll, self.anchor, self.phase = poll, anchor, phase
        self.beat = -1
        self.due = math.inf
        self.running = False
        self.finished: anyio.Event | None = None
        self.ticks = self.overlaps = self.missed = self.failures = self.failing_for = 0
        self.last_fault = ""


class Cadence:
    """Belongs to the event loop that runs it: every method is called in that loop's thread, or before `run`."""

    def __init__(
        self,
        clock: Clock,
        *,
        coordinated: bool = True,
        timetable: Timetable | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._clock, self._coordinated = clock, coordinated
        self._timetable = timetable or (Staggered() if coordinated else OwnTimers())
        self._chance = chance or random.Random()  # noqa: S311 - jitter, not a secret
        self._telemetry = Telemetry(SLOT)
        self._seats: dict[str, _Seat] = {}
        # Entries whose time is no longer their seat's are stale and passed over.
        self._queue: list[tuple[float, int, _Seat]] = []
        self._entered = self._registered = 0
        self._nap: anyio.CancelScope | None = None
        self._idle: anyio.Event | None = None
        self._stopping = False

    def add(self, poll: Poll) -> None:
        poll.check()
        if poll.name in self._seats:
            raise BadInput(f"there is already a poll named {poll.name!r}", cure="give each poll a name of its own")
        now = self._clock.monotonic()
        phase = self._timetable.phase(self._registered, poll.interval)
        self._registered += 1
        seat = self._seats[poll.name] = _Seat(poll, now + phase, phase)
        self._book_next(seat, now)
        self._wake()

    def remove(self, name: str) -> None:
        """No further beat; one that is running comes to its end."""
        seat = self._seats.pop(name, None)
        if seat is None:
            raise BadInput(f"there is no poll named {name!r}", cure="see `control-plane cadence list`")
        self._timetable.release(seat.due)
        seat.due = math.inf

    async def run(self) -> None:
        """Beat until `stop`; then let what runs come to its end, and cut off what takes longer than the grace."""
        now = self._clock.monotonic()
        for seat in self._seats.values():
            if seat.due < now:
                # Registered long before the start: it goes on with its grid, and has missed nothing.
                self._timetable.release(seat.due)
                self._book_next(seat, now)
        async with anyio.create_task_group() as group:
            while not self._stopping:
                await self._step(group)
            await self._wait_for_running()
            group.cancel_scope.cancel()

    def stop(self) -> None:
        self._stopping = True
        self._wake()

    def summary(self) -> Summary:
        return self._telemetry.summary(len(self._seats))

    async def _step(self, group: anyio.abc.TaskGroup) -> None:
        now = self._clock.monotonic()
        while self._queue and self._queue[0][0] != self._queue[0][2].due:
            heapq.heappop(self._queue)
        if not self._queue or self._queue[0][0] > now + _EARLY:
            with anyio.CancelScope() as self._nap:
                await anyio.sleep(self._queue[0][0] - now if self._queue else math.inf)
            self._nap = None
            return
        due, _, seat = heapq.heappop(self._queue)
        await self._beat(group, seat, due, now)

    async def _beat(self, group: anyio.abc.TaskGroup, seat: _Seat, due: float, now: float) -> None:
        self._timetable.release(due)
        self._book_next(seat, now)
        if seat.running:
            seat.overlaps += 1
            self._telemetry.overlaps += 1
            return
        seat.ticks += 1
        seat.running = True
        self._telemetry.began(due, now)
        pending = self._call(seat)
        if pending is None:
            if self._queue[0][0] <= now:
                # The next one is due as well, so no nap will let the others of this loop in.
                await anyio.lowlevel.checkpoint()
            return
        seat.finished = anyio.Event()
        group.start_soon(self._finish, seat, pending)
        if self._coordinated:
            with anyio.move_on_after(TURN):
                await seat.finished.wait()

    def _call(self, seat: _Seat) -> Awaitable[Any] | None:
        """Run a plain function here and now; hand back what has to be awaited."""
        if seat.poll.threaded:
            return anyio.to_thread.run_sync(seat.poll.run, abandon_on_cancel=True)
        try:
            pending = seat.poll.run()
        except Exception as fault:  # a poll's fault is counted, and never stops the others
            self._ended(seat, fault)
            return None
        if inspect.isawaitable(pending):
            return pending
        self._ended(seat, None)
        return None

    async def _finish(self, seat: _Seat, pending: Awaitable[Any]) -> None:
        fault: Exception | None = None
        try:
            await pending
        except Exception as raised:
            fault = raised
        finally:
            self._ended(seat, fault)
            if seat.finished is not None:
                seat.finished.set()

    def _ended(self, seat: _Seat, fault: Exception | None) -> None:
        seat.running = False
        self._telemetry.ended()
        if self._idle is not None and not self._telemetry.running:
            self._idle.set()
        if fault is None:
            seat.failing_for = 0
            return
        self._telemetry.failures += 1
        seat.failures += 1
        seat.failing_for += 1
        seat.last_fault = repr(fault)[:200]
        if seat.due != math.inf:
            now = self._clock.monotonic()
            self._timetable.release(seat.due)
            self._book(seat, now, seat.beat, now + self._backoff(seat))
            self._wake()

    def _backoff(self, seat: _Seat) -> float:
        """Twice as long after each failure, up to the cap, and never at the same moment as everybody else's."""
        longest = max(seat.poll.longest_backoff, seat.poll.interval)
        full = min(longest, seat.poll.interval * 2.0 ** min(seat.failing_for, 60))
        return full * (0.75 + self._chance.random() / 4)

    def _next_on_grid(self, seat: _Seat, now: float) -> int:
        intervals = (now - seat.anchor) / seat.poll.interval
        beat = max(seat.beat + 1, math.floor(intervals) + 1)
        # After a pause the next point of the grid may be right now: leave that one out too.
        return beat + 1 if beat > seat.beat + 1 and beat - intervals < 0.5 else beat

    def _book_next(self, seat: _Seat, now: float) -> None:
        beat = self._next_on_grid(seat, now)
        if seat.ticks and not seat.failing_for:
            seat.missed += beat - seat.beat - 1
            self._telemetry.missed += beat - seat.beat - 1
        target = seat.anchor + beat * seat.poll.interval
        if seat.poll.jitter:
            target += (self._chance.random() - 0.5) * seat.poll.jitter * seat.poll.interval
        self._book(seat, now, beat, target)

    def _book(self, seat: _Seat, now: float, beat: int, target: float) -> None:
        seat.beat = beat
        seat.due = self._timetable.book(target, now)
        self._entered += 1
        heapq.heappush(self._queue, (seat.due, self._entered, seat))

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.cancel()

    async def _wait_for_running(self) -> None:
        if self._telemetry.running:
            self._idle = anyio.Event()
            with anyio.move_on_after(GRACE):
                await self._idle.wait()
            self._idle = None

    def list(self) -> tuple[Entry, ...]:
        """Every interval of the process with its owner, the next one first."""
        now = self._clock.monotonic()
        return tuple(_entry(seat, now) for seat in sorted(self._seats.values(), key=lambda seat: seat.due))


def _entry(seat: _Seat, now: float) -> Entry:
    return Entry(
        name=seat.poll.name,
        owner=seat.poll.owner,
        interval=seat.poll.interval,
        phase=seat.phase,
        due_in=seat.due - now,
        jitter=seat.poll.jitter,
        running=seat.running,
        ticks=seat.ticks,
        overlaps=seat.overlaps,
        missed=seat.missed,
        failures=seat.failures,
        failing_for=seat.failing_for,
        last_fault=seat.last_fault,
    )

"""A crowd of polls put through the real scheduler, and judged by what the polls themselves saw."""

import itertools
import random
import statistics
import time

import anyio
import msgspec

from ..clock import Clock
from .polls import Poll
from .scheduler import Cadence
from .telemetry import Summary
from .timetable import SLOT, Timetable

Span = tuple[float, float]


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Polls that are registered within the first `scatter` seconds, watched for `seconds` from then on.

    With a `slot` of 0 only what runs at the same time collides: real timers fire in bunches of a millisecond.
    """

    intervals: tuple[float, ...]
    seconds: float
    work: float = 0.0
    scatter: float = 0.0
    slot: float = SLOT


class Kept(msgspec.Struct, frozen=True):
    """How one poll kept its beat: the worst single interval and the whole, as shares of what was asked for."""

    interval: float
    ticks: int
    worst_interval_error: float
    rate_error: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    ticks: int
    least_ticks: int
    collisions: int
    collision_rate: float
    worst_interval_error: float
    worst_rate_error: float
    median_rate_error: float
    told: Summary
    polls: tuple[Kept, ...]


def crowd_of(pollers: int, *, beats: int = 13) -> Crowd:
    """Half of them every second, half with intervals that, in tenths of a millisecond, are different primes."""
    equal = pollers // 2
    co_prime = [prime / 10_000 for prime in _primes_from(10_007, pollers - equal)]
    intervals = (*[1.0] * equal, *co_prime)
    return Crowd(intervals=intervals, seconds=beats * max(intervals), work=SLOT / 2)


async def rehearse(clock: Clock, crowd: Crowd, *, coordinated: bool, timetable: Timetable | None = None) -> Outcome:
    cadence = Cadence(clock, coordinated=coordinated, timetable=timetable, chance=random.Random(1))  # noqa: S311
    spans: list[list[Span]] = [[] for _ in crowd.intervals]
    chance = random.Random(2)  # noqa: S311 - a crowd that can be called together again
    moments = sorted(chance.uniform(0, crowd.scatter) for _ in crowd.intervals)
    began = clock.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(cadence.run)
        for number, (interval, moment) in enumerate(zip(crowd.intervals, moments, strict=True)):
            if crowd.scatter:
                await anyio.sleep(max(0.0, began + moment - clock.monotonic()))
            cadence.add(_watched(clock, f"poll-{number}", interval, crowd.work, spans[number]))
        await anyio.sleep(crowd.seconds)
        cadence.stop()
    return _judge(crowd, spans, cadence.summary())


async def cost_of(clock: Clock, pollers: int, interval: float, seconds: float) -> float:
    """The share of one core that so many polls take, which do nothing themselves."""
    cadence = Cadence(clock)
    for number in range(pollers):
        cadence.add(Poll(name=f"poll-{number}", owner="rehearsal", interval=interval, run=lambda: None))
    async with anyio.create_task_group() as group:
        group.start_soon(cadence.run)
        busy, began = time.process_time(), clock.monotonic()
        await anyio.sleep(seconds)
        share = (time.process_time() - busy) / (clock.monotonic() - began)
        cadence.stop()
    return share


def count_collisions(spans: list[Span], slot: float) -> int:
    """How many began in the slot of another one, or ran while another one did."""
    collided: set[int] = set()
    longest = 0
    ordered = sorted(spans)
    for number in range(1, len(ordered)):
        began = ordered[number][0]
        if began < ordered[longest][1]:
            collided |= {longest, number}
        if slot and round(began / slot) == round(ordered[number - 1][0] / slot):
            collided |= {number - 1, number}
        if ordered[number][1] > ordered[longest][1]:
            longest = number
    return len(collided)


def _watched(clock: Clock, name: str, interval: float, work: float, spans: list[Span]) -> Poll:
    async def run() -> None:
        began = clock.monotonic()
        await anyio.sleep(work)
        spans.append((began, clock.monotonic()))

    return Poll(name=name, owner="rehearsal", interval=interval, run=run)


def _judge(crowd: Crowd, spans: list[list[Span]], told: Summary) -> Outcome:
    watched = zip(crowd.intervals, spans, strict=True)
    polls = tuple(_kept(interval, [began for began, _ in own]) for interval, own in watched)
    ticks = sum(poll.ticks for poll in polls)
    collisions = count_collisions([span for own in spans for span in own], crowd.slot)
    return Outcome(
        ticks=ticks,
        least_ticks=min(poll.ticks for poll in polls),
        collisions=collisions,
        collision_rate=collisions / ticks if ticks else 1.0,
        worst_interval_error=max(poll.worst_interval_error for poll in polls),
        worst_rate_error=max(poll.rate_error for poll in polls),
        median_rate_error=statistics.median(poll.rate_error for poll in polls),
        told=told,
        polls=polls,
    )


def _kept(interval: float, begins: list[float]) -> Kept:
    gaps = [later - earlier for earlier, later in itertools.pairwise(begins)]
    if not gaps:
        # Who never beat twice kept no cadence.
        return Kept(interval, len(begins), 1.0, 1.0)
    worst = max(abs(gap / interval - 1) for gap in gaps)
    return Kept(interval, len(begins), worst, abs((begins[-1] - begins[0]) / len(gaps) / interval - 1))


def _primes_from(start: int, wanted: int) -> list[int]:
    primes: list[int] = []
    candidate = start
    while len(primes) < wanted:
        if all(candidate % divisor for divisor in range(2, int(candidate**0.5) + 1)):
            primes.append(candidate)
        candidate += 1
    return primes

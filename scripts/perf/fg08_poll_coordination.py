"""FG-08: polls that know of each other do not collide; switched off, they do.

usage: python scripts/perf/fg08_poll_coordination.py [--quick] [--json] [--metrics DIR]
"""

import sys
from collections.abc import Callable, Sequence

import anyio
import msgspec

from control_plane.cadence import OwnTimers, Staggered, Timetable
from control_plane.cadence.rehearsal import Crowd, Outcome, cost_of, crowd_of, rehearse
from control_plane.cadence.virtual import run_virtually
from control_plane.clock import Clock, VirtualClock
from control_plane.evidence import Criterion, Metrics, Rollback, at_least, at_most
from control_plane.flags import read_flags
from control_plane.proving import Bars, Findings, run_proof

FLAG = "OPENCODE_CADENCE_COORDINATION"
SCRIPT = "scripts/perf/fg08_poll_coordination.py"
POLLERS = 1_000
# Registered within a second, as a process that starts up would; the kindest case for timers of their own.
PEAK = msgspec.structs.replace(crowd_of(POLLERS), scatter=1.0)
REAL = Crowd(intervals=tuple(0.02 + 0.08 * n / 49 for n in range(50)), seconds=2.0, slot=0.0)

MakeTimetable = Callable[[], Timetable]


class Side(msgspec.Struct, frozen=True):
    """The same crowd on the virtual clock and a smaller one on the real one, under one setting of the flag."""

    peak: Outcome
    real: Outcome


def at_peak(flag: str, staggered: MakeTimetable) -> Outcome:
    clock = VirtualClock()
    return run_virtually(clock, rehearsal, clock, PEAK, flag, staggered)


def in_real_time(flag: str, staggered: MakeTimetable) -> Outcome:
    return anyio.run(rehearsal, Clock(), REAL, flag, staggered)


async def rehearsal(clock: Clock, crowd: Crowd, flag: str, staggered: MakeTimetable) -> Outcome:
    coordinated = read_flags({FLAG: flag}, {}).cadence_coordination
    timetable = staggered() if coordinated else OwnTimers()
    return await rehearse(clock, crowd, coordinated=coordinated, timetable=timetable)


def cost(tries: int) -> float:
    """The scheduler's own share of a core: on the virtual clock, so without what the machine takes to wake up."""
    clocks = [VirtualClock() for _ in range(tries)]
    return min(run_virtually(clock, cost_of, clock, POLLERS, 1.0, 5.0) for clock in clocks)


def criteria(before: Side, after: Side, share: float, bars: Bars) -> tuple[Criterion, ...]:
    return (
        at_least("pollers at peak", after.peak.told.polls, POLLERS),
        at_least("fewest beats of a poller", after.peak.least_ticks, 12),
        at_most("collision rate at peak", after.peak.collision_rate, 0.0),
        at_most("collision rate at peak, as the scheduler reports it", after.peak.told.collision_rate, 0.0),
        at_most("worst deviation of a single interval at peak", after.peak.worst_interval_error, 0.01),
        at_most("polls at once at peak", after.peak.told.largest_concurrency, 1),
        *bars.at_most("collision rate on the real clock", after.real.collision_rate, 0.01, seed=0.05),
        *bars.at_most("median deviation of a poller's cadence on the real clock", after.real.median_rate_error, 0.01),
        at_least("collision rate at peak without coordination", before.peak.collision_rate, 0.05),
        at_least("collision rate on the real clock without coordination", before.real.collision_rate, 0.05),
        *bars.at_most("share of a core for 1,000 idle polls a second", share, 0.05),
    )


def rolled_back(before: Side, staggered: MakeTimetable) -> Rollback:
    """Switch off again after the coordinated run: what was seen before must be seen again."""
    again = at_peak("false", staggered)
    return Rollback(
        switch=f"{FLAG}=false",
        validated=again.collisions == before.peak.collisions > 0,
        result=f"switched off again, {again.collisions:,} of {again.ticks:,} beats collide; "
        f"{before.peak.collisions:,} did before",
    )


def metrics(side: Side, **more: float | int | bool | str) -> Metrics:
    told = side.real.told
    figures: dict[str, float | int | bool | str] = {
        "collision_rate": side.peak.collision_rate,
        "overlaps": side.peak.told.overlaps,
        "largest_concurrency": side.peak.told.largest_concurrency,
        "worst_interval_error": side.peak.worst_interval_error,
        "real_ticks": side.real.ticks,
        "real_collision_rate": side.real.collision_rate,
        "real_median_rate_error": side.real.median_rate_error,
        "real_worst_rate_error": side.real.worst_rate_error,
        "real_missed": told.missed,
    }
    return Metrics(
        of="lateness of a beat on the real clock; accepted: beats at peak that had their slot alone",
        unit="ms",
        p50=told.lateness_p50_ms,
        p95=told.lateness_p95_ms,
        p99=told.lateness_p99_ms,
        accepted=side.peak.ticks - side.peak.collisions,
        rejected=side.peak.collisions,
        errors=side.peak.told.failures + told.failures,
        figures=figures | more,
    )


def prove(staggered: MakeTimetable, quick: bool) -> Findings:
    before, after = (Side(at_peak(flag, staggered), in_real_time(flag, staggered)) for flag in ("false", "true"))
    share, with_waking = cost(1 if quick else 3), anyio.run(cost_of, Clock(), POLLERS, 1.0, 1.0)
    return Findings(
        before=metrics(before),
        after=metrics(after, core_share=share, core_share_with_waking=with_waking),
        criteria=criteria(before, after, share, Bars(quick)),
        rollback=rolled_back(before, staggered),
        files={"polls-at-peak.json": msgspec.json.encode(after.peak.polls)},
    )


def main(arguments: Sequence[str], staggered: MakeTimetable = Staggered) -> int:
    """Another timetable takes the staggering away, so that a test can see this proof fail."""
    return run_proof("FG-08", SCRIPT, __doc__, lambda quick: prove(staggered, quick), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""FG-06: an arm whose slowest calls turn ten times slower is left within 50 results; loops keep their deadline.

usage: python scripts/perf/fg06_tail_latency_slo.py [--quick] [--json] [--metrics DIR]
"""

import random
import sys
from collections.abc import Sequence

import msgspec

from control_plane import Arm, ControlPlane, Task
from control_plane.evidence import Rollback, at_least, at_most, equal
from control_plane.flags import Flags
from control_plane.proving import Findings, HandClock, Latencies, flags, run_proof, temporary_home
from control_plane.router.projection import ROUTER
from control_plane.router.tail_summary import summary

FLAG, SEED = "OPENCODE_TAIL_SLO", "OPENCODE_REPLAY_SEED"
SCRIPT = "scripts/perf/fg06_tail_latency_slo.py"
OUTLIER = "acme/outlier"
CATALOGUE = [Arm(OUTLIER, prior=0.9), Arm("acme/steady", prior=0.75), Arm("other/steady", prior=0.75)]
SUCCESS = {OUTLIER: 0.92, "acme/steady": 0.82, "other/steady": 0.8}
# A loop asks for ten calls in a row and has ten seconds; healthy calls take a quarter to two thirds of a second.
CALLS, DEADLINE_S = 10, 10.0
RESULTS, BAR = 300, 50


class Course(msgspec.Struct):
    """What happened to the outlier and to the loops after its tail had turned."""

    share_before: float = 0.0
    results_until_penalty: int = 0
    results_until_left: int = 0
    share_after: float = 0.0
    loops: int = 0
    loops_late: int = 0
    loops_late_after_demotion: int = 0
    slowest_loop_s: float = 0.0


class Traffic:
    """Calls whose latency and success follow from a seed, on a clock that passes as they say."""

    def __init__(self, plane: ControlPlane, clock: HandClock, seed: int) -> None:
        self.plane, self.clock, self._chance = plane, clock, random.Random(seed)  # noqa: S311 - traffic, again and again
        self.turned, self.took = False, Latencies()

    def call(self, task: Task) -> tuple[str, float]:
        advice = self.plane.advise(task)
        rank = self._chance.random()
        slow = self.turned and advice.arm == OUTLIER and rank > 0.7
        seconds = (0.25 + 0.4 * rank) * (10.0 if slow else 1.0)
        self.clock.pass_by(seconds)
        success = self._chance.random() < SUCCESS[advice.arm]
        self.plane.record_result(advice.decision_id, success=success, latency_ms=seconds * 1e3)
        self.plane.flush()
        self.took.add(seconds)
        return advice.arm, seconds

    def penalised(self) -> bool:
        return OUTLIER in self.plane.folder.state(ROUTER).penalties


def told(*, tails: bool, draws: int | None = None) -> Flags:
    """The flag off or on; the short form draws the same each time, the whole form as it comes."""
    return flags(**{FLAG: str(tails).lower()} | ({} if draws is None else {SEED: f"draws-{draws}"}))


def course(told: Flags, loops: int, seed: int) -> tuple[Course, Latencies]:
    clock, found = HandClock(), Course()
    with temporary_home() as home, ControlPlane.open(home, catalogue=CATALOGUE, clock=clock, flags=told) as plane:
        traffic = Traffic(plane, clock, seed)
        healthy = [traffic.call(Task(type="code.fix"))[0] for _ in range(RESULTS)]
        found.share_before = share(healthy[-100:])
        traffic.turned, traffic.took = True, Latencies()
        turn(traffic, found)
        for number in range(loops):
            run_loop(traffic, f"loop-{number}", found, late_counts=number >= 1)
        found.share_after = share([traffic.call(Task(type="code.fix"))[0] for _ in range(100)])
    return found, traffic.took


def turn(traffic: Traffic, found: Course) -> None:
    """Single calls until the outlier is left, or has had its chance twice over."""
    outliers, latest = 0, []
    while outliers < 2 * BAR:
        latest.append(traffic.call(Task(type="code.fix"))[0])
        outliers += latest[-1] == OUTLIER
        if traffic.penalised() and not found.results_until_penalty:
            found.results_until_penalty = outliers
        if len(latest) >= 10 and share(latest[-10:]) <= 0.2:
            found.results_until_left = outliers
            return


def run_loop(traffic: Traffic, session: str, found: Course, *, late_counts: bool) -> None:
    seconds = sum(
        traffic.call(Task(type="code.fix", session=session, in_tool_loop=step > 0))[1] for step in range(CALLS)
    )
    late = seconds > DEADLINE_S
    found.loops += 1
    found.loops_late += late
    found.loops_late_after_demotion += late and late_counts
    found.slowest_loop_s = max(found.slowest_loop_s, seconds)


def share(arms: list[str]) -> float:
    return arms.count(OUTLIER) / len(arms)


def few_and_censored(told: Flags) -> tuple[bool, bool, int]:
    """Ten slow calls condemn nobody; time-outs that were cut short count as at least so slow."""
    clock = HandClock()
    with temporary_home() as home, ControlPlane.open(home, catalogue=CATALOGUE, clock=clock, flags=told) as plane:
        for _ in range(10):
            clock.pass_by(9.0)
            plane.record_result(arm="acme/steady", success=True, latency_ms=9_000.0)
        for number in range(60):
            clock.pass_by(1.0)
            cut = number % 4 == 0
            plane.record_result(
                arm="other/steady", latency_ms=5_000.0 if cut else 400.0,
                error="timeout" if cut else None, success=None if cut else True,
            )  # fmt: skip
        plane.flush()
        state = plane.folder.state(ROUTER)
        censored = summary(state.tails["other/steady"], clock.now()).censored
        return "acme/steady" in state.penalties, "other/steady" in state.penalties, censored


def prove(quick: bool, fault: str = "") -> Findings:
    loops, seeds = (20, 1) if fault or quick else (100, 10)
    tails = fault != "no-tails"
    off = told(tails=False, draws=1 if quick else None)
    before, slow = course(off, loops, 1)
    courses = [course(told(tails=tails, draws=seed if quick else None), loops, seed) for seed in range(1, 1 + seeds)]
    after, fast = [found for found, _ in courses], courses[0][1]
    condemned, counted, censored = few_and_censored(told(tails=tails))
    again, _ = course(off, loops, 1)
    return Findings(
        before=slow.metrics("a call's latency after the turn, tails ignored", figures=msgspec.structs.asdict(before)),
        after=fast.metrics("a call's latency after the turn", figures=msgspec.structs.asdict(after[0])),
        criteria=(
            at_least("the outlier's share before its tail turned", min(c.share_before for c in after), 0.5),
            at_least("results of the outlier until its tail costs it", min(c.results_until_penalty for c in after), 1),
            at_most("results of the outlier until it was left", max(c.results_until_left or 999 for c in after), BAR),
            at_most("its share afterwards", max(c.share_after for c in after), 0.25),
            at_most(
                "share of loops past their deadline afterwards",
                max(c.loops_late_after_demotion / c.loops for c in after), 0.05,
            ),
            at_least("share of loops past their deadline, tails ignored", before.loops_late / before.loops, 0.3),
            equal("ten slow calls condemn an arm", condemned, False),
            equal("time-outs cost an arm its tail", counted, True),
            equal("calls counted as censored", censored, 15),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=again.share_after >= 0.5 and again.loops_late == before.loops_late,
            result=f"the outlier kept {again.share_after:.0%} of the decisions, {again.loops_late} of {again.loops} "
            f"loops were late; with the tails it kept {after[0].share_after:.0%}, {after[0].loops_late} were late",
        ),
    )  # fmt: skip


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="no-tails"` lets nobody look at tails, so that a test can see this proof fail."""
    return run_proof("FG-06", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Bars of the simulation: intervals that cover the truth and still say something, and the recorded policy repeated."""

import random
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import msgspec

from control_plane import Arm, ControlPlane, Policy, Task
from control_plane.proving import HandClock, flags
from control_plane.router.estimates import Estimate, Estimates, Measure
from control_plane.router.events import AdviceGiven
from control_plane.router.sim_report import SimulationRequest
from control_plane.router.simulation import Told
from tests.bars.frame import Bar
from tests.router.test_estimates import BROAD, SILENT, World, history, truth_of

RUNS, DECISIONS = 1_000, 600
Judge = Callable[[Measure], Estimates | None]
Paths = tuple[dict[str, str], dict[str, str]]


def check_intervals_cover(judge: Judge) -> None:
    """At least 93 of 100, and none so wide that it says nothing."""
    for world in (BROAD, SILENT):
        every = [_found(judge, world, seed) for seed in range(RUNS)]
        truth = truth_of(world, world.policy)
        for found in ([one.dr for one in every], [one.ips for one in every]):
            assert fmean(one.low <= truth <= one.high for one in found) >= 0.93
            assert fmean(one.high - one.low for one in found) < 0.5
            assert all(one.low < one.high for one in found)


def _found(judge: Judge, world: World, seed: int) -> Estimates:
    found = judge(history(world, random.Random(seed), DECISIONS, 24.5))
    assert found is not None
    return found


def real(_: Path) -> Judge:
    return Measure.estimates


def silent(_: Path) -> Judge:
    return lambda measure: None


def anything(_: Path) -> Judge:
    """It may be anything: always right, and of no use."""
    return lambda measure: _with(measure, lambda _: Estimate(0.5, 0.0, 1.0))


def overconfident(_: Path) -> Judge:
    """Two thirds of the width that it should have."""

    def narrow(one: Estimate) -> Estimate:
        return Estimate(
            one.value, one.value - (one.value - one.low) * 2 / 3, one.value + (one.high - one.value) * 2 / 3
        )

    return lambda measure: _with(measure, narrow)


def deaf(_: Path) -> Judge:
    """Takes silence for failure."""

    def heard(measure: Measure) -> Estimates | None:
        for sums in measure.arms.values():
            sums.known = sums.given
        return measure.estimates()

    return heard


def _with(measure: Measure, change: Callable[[Estimate], Estimate]) -> Estimates | None:
    found = measure.estimates()
    return None if found is None else msgspec.structs.replace(found, dr=change(found.dr))


def check_recorded_policy_repeats(paths: Paths) -> None:
    """Every path of the log, and as many."""
    recorded, simulated = paths
    assert len(recorded) == 150
    assert simulated == recorded


def recorded_policy(folder: Path) -> Paths:
    return _paths(folder, Policy(), "")


def says_nothing(folder: Path) -> Paths:
    return _paths(folder, Policy(), "")[0], {}


def another_policy(folder: Path) -> Paths:
    return _paths(folder, Policy(success_value_usd=1.9), "")


def other_bits(folder: Path) -> Paths:
    return _paths(folder, Policy(), "another seed")


def _paths(folder: Path, policy: Policy, seed: str) -> Paths:
    arms, clock, chance = [Arm(f"acme/{name}") for name in "abc"], HandClock(), random.Random(3)
    with ControlPlane.open(
        folder / "home", catalogue=arms, policy=Policy(), clock=clock, flags=flags(), background=False
    ) as plane:
        for _ in range(150):
            clock.pass_by(1.0)
            decision = plane.advise(Task(type=f"kind-{chance.randrange(2)}")).decision_id
            plane.record_result(decision, success=chance.random() < 0.6, cost_usd=0.01)
        told: list[Told] = []
        plane.simulate(policy, request=SimulationRequest(replay_seed=seed), told=told.append)
        events = [row.event for row in plane.ledger.read(0, 10_000)]
    recorded = {event.decision: event.path_hash for event in events if isinstance(event, AdviceGiven)}
    return recorded, {one.decision: one.path_hash for one in told}


BARS = [
    Bar(
        check_intervals_cover,
        real=real,
        null=silent,
        planted={"always anything": anything, "too sure": overconfident, "silence is failure": deaf},
    ),
    Bar(
        check_recorded_policy_repeats,
        real=recorded_policy,
        null=says_nothing,
        planted={"another policy": another_policy, "other bits": other_bits},
    ),
]

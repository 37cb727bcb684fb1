"""Estimates from another policy's decisions: right on average, honest about what they cannot know."""

import math
import random
from statistics import fmean
from typing import NamedTuple

import pytest

from control_plane.router.estimates import Batch, Estimates, Measure, student

ARMS = ("strong", "middle", "cheap")
RUNS = 1_000


class World(NamedTuple):
    """Two kinds of tasks; how often each arm was chosen, how often it would be, how often it succeeds."""

    recorded: tuple[tuple[float, ...], ...]
    policy: tuple[tuple[float, ...], ...]
    rates: tuple[tuple[float, ...], ...]
    reported: tuple[float, ...] = (1.0, 1.0, 1.0)
    model: tuple[float, ...] = (0.6, 0.6, 0.6)


BROAD = World(
    recorded=((0.6, 0.3, 0.1), (0.2, 0.2, 0.6)),
    policy=((0.1, 0.2, 0.7), (0.8, 0.1, 0.1)),
    rates=((0.9, 0.7, 0.4), (0.8, 0.5, 0.3)),
)
# Some arms report less: who is silent must not count as if it had been asked less.
SILENT = BROAD._replace(reported=(0.95, 0.4, 0.7))
# Nearly everything goes to one arm, the others have the floor only: the weights of a real log.
FLOOR = World(
    recorded=((0.998, 0.001, 0.001), (0.001, 0.998, 0.001)),
    policy=((0.1, 0.899, 0.001), (0.001, 0.998, 0.001)),
    rates=((0.9, 0.7, 0.4), (0.8, 0.5, 0.3)),
)
# A log that nearly always succeeds: no failure seen is not no failure.
RARE = BROAD._replace(rates=((0.998, 0.999, 0.997), (0.999, 0.998, 0.999)), model=(0.95, 0.95, 0.95))


def truth_of(world: World, policy: tuple[tuple[float, ...], ...]) -> float:
    return fmean(
        math.fsum(p * r for p, r in zip(chances, rates, strict=True))
        for chances, rates in zip(policy, world.rates, strict=True)
    )


def history(world: World, chance: random.Random, decisions: int, clip: float) -> Measure:
    """One log, in which both kinds of task come equally often."""
    measure = Measure(0.0, 1.0)
    for kind in (0, 1):
        had, would, rates = world.recorded[kind], world.policy[kind], world.rates[kind]
        base = math.fsum(p * m for p, m in zip(would, world.model, strict=True))
        before = math.fsum(p * m for p, m in zip(had, world.model, strict=True))
        cut = [max(0.0, p - clip * h) for p, h in zip(would, had, strict=True)]
        missed_model = math.fsum(c * m for c, m in zip(cut, world.model, strict=True))
        drawn = chance.choices(range(3), had, k=decisions // 2)
        for at in range(3):
            given = drawn.count(at)
            known = sum(chance.random() < world.reported[at] for _ in range(given))
            wins = float(sum(chance.random() < rates[at] for _ in range(known)))
            weight = min(would[at] / had[at], clip)
            if given:
                measure.add(
                    ARMS[at],
                    Batch(given, known, wins, wins, weight, world.model[at], base, before, sum(cut), missed_model),
                )
    return measure


def estimated(world: World, seed: int, decisions: int = 600, clip: float = 24.5) -> Estimates:
    found = history(world, random.Random(seed), decisions, clip).estimates()
    assert found is not None
    return found


def coverage(world: World, runs: int, decisions: int = 600) -> dict[str, float]:
    truth = truth_of(world, world.policy)
    difference = truth - truth_of(world, world.recorded)
    every = [estimated(world, seed, decisions, max(20.0, math.sqrt(decisions))) for seed in range(runs)]
    asked = dict.fromkeys(("ips", "snips", "dr"), truth) | {"delta": difference}
    return {
        name: fmean(getattr(one, name).low <= true <= getattr(one, name).high for one in every)
        for name, true in asked.items()
    }


@pytest.mark.requirement("GOV-53", "GOV-20", "GOV-21")
@pytest.mark.parametrize("world", [BROAD, SILENT, FLOOR, RARE], ids=["broad", "silent", "floor", "rare"])
def test_intervals_cover_the_known_truth(world: World) -> None:
    covered = coverage(world, RUNS)
    assert min(covered.values()) >= 0.93, covered


@pytest.mark.requirement("GOV-53")
def test_the_check_of_coverage_sees_intervals_that_are_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.router.estimates.student", lambda _: 1.2)
    assert coverage(BROAD, RUNS)["dr"] < 0.93


@pytest.mark.requirement("GOV-53")
def test_the_check_of_coverage_sees_arms_whose_silence_is_taken_for_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_failures(arms, field: str, power: int = 1) -> float:
        return math.fsum(getattr(s, field) for s in arms)

    monkeypatch.setattr("control_plane.router.estimates._reported", as_failures)
    assert coverage(SILENT, 60)["ips"] < 0.5


@pytest.mark.long
@pytest.mark.requirement("GOV-53")
@pytest.mark.parametrize("decisions", [200, 2_000, 10_000])
@pytest.mark.parametrize("world", [BROAD, SILENT, FLOOR, RARE], ids=["broad", "silent", "floor", "rare"])
def test_intervals_cover_the_known_truth_in_long_and_short_histories(world: World, decisions: int) -> None:
    covered = coverage(world, 1_000 if decisions < 10_000 else 300, decisions)
    assert min(covered.values()) >= 0.93, covered


def test_estimates_are_right_on_average() -> None:
    every = [estimated(BROAD, seed) for seed in range(60)]
    truth = truth_of(BROAD, BROAD.policy)
    for name in ("ips", "snips", "dr"):
        assert fmean(getattr(one, name).value for one in every) == pytest.approx(truth, abs=0.02)


def test_intervals_are_no_wider_than_the_evidence_makes_them() -> None:
    one = estimated(BROAD, 1, 10_000, 100.0)
    assert one.dr.high - one.dr.low < 0.06
    assert one.effective < 10_000


@pytest.mark.requirement("GOV-20")
def test_the_recorded_policy_is_worth_what_was_recorded() -> None:
    same = BROAD._replace(policy=BROAD.recorded)
    one = estimated(same, 3)
    assert one.ips == one.recorded
    assert one.snips.value == pytest.approx(one.recorded.value)
    assert (one.delta.value, one.delta.low, one.delta.high) == (0.0, 0.0, 0.0)
    assert one.effective == pytest.approx(600.0)


@pytest.mark.requirement("GOV-21")
def test_what_was_never_chosen_may_be_anything() -> None:
    never = World(((0.5, 0.5, 0.0),) * 2, ((0.0, 0.0, 1.0),) * 2, ((0.9, 0.7, 0.4),) * 2)
    measure = Measure(0.0, 1.0)
    measure.add("strong", Batch(100, 100, 90.0, 90.0, 0.0, 0.6, 0.6, 0.6, 1.0, 0.6))
    one = measure.estimates()
    assert one is not None
    assert never.policy[0][2] == 1.0
    assert (one.dr.low, one.dr.high) == (0.0, 1.0)
    assert (one.ips.low, one.ips.high) == (0.0, 1.0)
    assert (one.snips.low, one.snips.high) == (0.0, 1.0)


def test_a_log_without_any_result_has_no_estimate() -> None:
    measure = Measure(0.0, 1.0)
    measure.add("strong", Batch(100, 0, 0.0, 0.0, 1.0, 0.6, 0.6, 0.6))
    assert measure.estimates() is None


def test_a_handful_of_successes_is_not_certainty() -> None:
    measure = Measure(0.0, 1.0)
    measure.add("strong", Batch(10, 10, 10.0, 10.0, 1.0, 1.0, 1.0, 1.0))
    one = measure.estimates()
    assert one is not None
    assert one.dr.low < 0.9


@pytest.mark.parametrize(("freedom", "point"), [(4, 2.776), (10, 2.228), (30, 2.042), (1e9, 1.960)])
def test_the_points_of_students_distribution(freedom: float, point: float) -> None:
    assert student(freedom) == pytest.approx(point, rel=0.005)

"""The bars of poll coordination, and planted faults that must miss them."""

import math

import anyio
import msgspec
import pytest

from control_plane.cadence import OwnTimers, Staggered, Timetable
from control_plane.cadence.rehearsal import Crowd, Outcome, cost_of, count_collisions, crowd_of, rehearse
from control_plane.cadence.timetable import SLOT
from control_plane.cadence.virtual import run_virtually
from control_plane.clock import Clock, VirtualClock

pytestmark = pytest.mark.long

THOUSAND = crowd_of(1000)


def rehearsed(crowd: Crowd, coordinated: bool = True, timetable: Timetable | None = None) -> Outcome:
    clock = VirtualClock()

    async def go() -> Outcome:
        return await rehearse(clock, crowd, coordinated=coordinated, timetable=timetable)

    return run_virtually(clock, go)


@pytest.fixture(scope="module")
def thousand() -> Outcome:
    return rehearsed(THOUSAND)


@pytest.mark.requirement("ROUTER-84", "FG-08-PASS")
def test_a_thousand_polls_with_co_prime_and_equal_intervals_never_collide(thousand: Outcome) -> None:
    assert thousand.least_ticks >= 12
    assert (thousand.collisions, thousand.told.collisions, thousand.told.overlaps) == (0, 0, 0)
    assert thousand.told.largest_concurrency == 1


@pytest.mark.requirement("ROUTER-85")
def test_each_of_a_thousand_polls_keeps_every_interval_within_a_hundredth(thousand: Outcome) -> None:
    assert thousand.worst_interval_error <= 0.01
    assert thousand.worst_rate_error <= 0.001


@pytest.mark.requirement("FG-08-ROLLBACK", "FG-08-3")
@pytest.mark.parametrize("scatter", [0.0, 1.0], ids=["started at once", "started over a second"])
def test_switched_off_the_same_polls_collide_and_it_is_reported(scatter: float) -> None:
    naive = rehearsed(msgspec.structs.replace(THOUSAND, scatter=scatter), coordinated=False)
    assert naive.collision_rate > 0.05
    assert naive.told.collision_rate > 0.05
    assert naive.told.largest_concurrency > 1


def test_the_crowd_has_equal_and_pairwise_co_prime_intervals() -> None:
    assert len(THOUSAND.intervals) == 1000
    assert THOUSAND.intervals[:500] == (1.0,) * 500
    tenths = [round(interval * 10_000) for interval in (1.0, *THOUSAND.intervals[500:])]
    product = 1
    for number in tenths:
        assert math.gcd(product, number) == 1
        product *= number


class NotStaggered(Staggered):
    """A planted fault: everybody gets the slot that they want."""

    def book(self, target: float, earliest: float) -> float:
        self._taken.clear()
        return super().book(target, earliest)


class Drifting(Staggered):
    """A planted fault: each beat is booked a little later than its grid, and later still the next time."""

    delay = 0.0

    def book(self, target: float, earliest: float) -> float:
        self.delay += 0.0001
        return super().book(target + self.delay, earliest)


class Never(Staggered):
    """The null implementation: nothing is ever due."""

    def book(self, target: float, earliest: float) -> float:
        return math.inf


FEW = crowd_of(200)


def test_without_free_slots_the_bar_is_missed() -> None:
    assert rehearsed(FEW, timetable=NotStaggered()).collisions > 0


def test_beats_that_drift_from_their_grid_miss_the_bar() -> None:
    assert rehearsed(FEW).worst_interval_error <= 0.01
    assert rehearsed(FEW, timetable=Drifting()).worst_interval_error > 0.01


def test_a_scheduler_that_never_beats_misses_every_bar() -> None:
    nothing = rehearsed(FEW, timetable=Never())
    assert (nothing.least_ticks, nothing.collision_rate, nothing.worst_interval_error) == (0, 1.0, 1.0)


def test_turns_alone_keep_late_polls_from_running_at_the_same_time() -> None:
    crowd = Crowd(intervals=tuple(0.1 + 0.01 * n for n in range(20)), seconds=5.0, work=3 * SLOT, slot=0.0)
    assert rehearsed(crowd, coordinated=True, timetable=OwnTimers()).collisions == 0
    assert rehearsed(crowd, coordinated=False).collisions > 0


@pytest.mark.parametrize(
    ("spans", "collided"),
    [
        ([], 0),
        ([(0.0, 0.0)], 0),
        ([(0.0, 0.1), (0.1, 0.2)], 0),
        ([(0.0, 0.2), (0.1, 0.15), (0.16, 0.18)], 3),
        ([(0.0, 0.2), (0.1, 0.15), (0.3, 0.4)], 2),
        ([(0.0, 0.0), (SLOT / 4, SLOT / 4), (SLOT, SLOT)], 2),
    ],
    ids=["nobody", "alone", "one after another", "a long one and two", "two of three", "in one slot"],
)
def test_the_judge_counts_each_one_that_collided(spans: list[tuple[float, float]], collided: int) -> None:
    assert count_collisions(spans, SLOT) == collided


def test_on_the_real_clock_polls_take_turns_and_keep_their_beat() -> None:
    crowd = Crowd(intervals=tuple(0.02 + 0.08 * n / 19 for n in range(20)), seconds=1.3, slot=0.0)

    async def go(coordinated: bool) -> Outcome:
        return await rehearse(Clock(), crowd, coordinated=coordinated)

    together, apart = anyio.run(go, True), anyio.run(go, False)
    assert together.collision_rate <= 0.01
    assert apart.collision_rate > 0.05
    assert together.median_rate_error <= 0.01


def test_a_thousand_polls_a_second_leave_the_processor_alone(capsys: pytest.CaptureFixture[str]) -> None:
    clock = VirtualClock()
    share = run_virtually(clock, cost_of, clock, 1000, 1.0, 3.0)
    print(f"a thousand polls a second take {share:.1%} of a core")
    assert share < 0.25  # traced by coverage on a slow machine; about 0.025 without

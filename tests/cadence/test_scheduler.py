"""The scheduler on a virtual clock: seconds pass in microseconds, and nothing happens by chance."""

import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.cadence import Cadence, Poll, Staggered
from control_plane.cadence.scheduler import GRACE, TURN
from control_plane.cadence.timetable import SLOT, SPREAD
from control_plane.cadence.virtual import NothingLeft, run_virtually
from control_plane.clock import Clock, VirtualClock
from control_plane.errors import BadInput


class Beats:
    """A poll's work that remembers when it was done."""

    def __init__(self, clock: Clock, takes: float = 0.0) -> None:
        self.clock, self.takes, self.at = clock, takes, list[float]()

    async def __call__(self) -> None:
        self.at.append(self.clock.monotonic())
        await anyio.sleep(self.takes)


def poll(run: Callable[[], Awaitable[Any] | None], name: str = "look", interval: float = 1.0, **more: Any) -> Poll:
    return Poll(name=name, owner="tests", interval=interval, run=run, **more)


async def beat_for(cadence: Cadence, seconds: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(cadence.run)
        await anyio.sleep(seconds)
        cadence.stop()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def cadence(clock: VirtualClock) -> Cadence:
    return Cadence(clock)


@pytest.mark.requirement("ROUTER-47")
def test_an_hour_of_beats_passes_at_once_on_a_virtual_clock(cadence: Cadence, clock: VirtualClock) -> None:
    beats = Beats(clock)
    cadence.add(poll(beats, interval=10.0))
    run_virtually(clock, beat_for, cadence, 3600.0)
    assert len(beats.at) == 360
    gaps = [round(later - earlier, 6) for earlier, later in pairwise(beats.at)]
    assert set(gaps) == {10.0}
    assert clock.monotonic() >= 3600


@pytest.mark.parametrize("form", ["plain", "awaited", "a plain function that returns something to await"])
def test_plain_and_async_functions_beat_alike(cadence: Cadence, clock: VirtualClock, form: str) -> None:
    beats = Beats(clock)

    def hand_over() -> Awaitable[Any]:
        return beats()

    forms: dict[str, Callable[[], Awaitable[Any] | None]] = {
        "plain": lambda: beats.at.append(clock.monotonic()),
        "awaited": beats,
        "a plain function that returns something to await": hand_over,
    }
    cadence.add(poll(forms[form]))
    run_virtually(clock, beat_for, cadence, 10.0)
    assert len(beats.at) == 10


@pytest.mark.requirement("ROUTER-48")
@settings(max_examples=25, deadline=None)
@given(intervals=st.lists(st.integers(200, 3000), min_size=2, max_size=12))
def test_no_two_polls_ever_begin_in_the_same_slot(intervals: list[int]) -> None:
    clock = VirtualClock()
    cadence, beats = Cadence(clock), [Beats(clock, SLOT / 2) for _ in intervals]
    for number, interval in enumerate(intervals):
        cadence.add(poll(beats[number], str(number), interval / 1000))
    run_virtually(clock, beat_for, cadence, 12.0)
    slots = [round(at / SLOT) for own in beats for at in own.at]
    assert len(slots) == len(set(slots)) > 0
    assert cadence.summary().collisions == 0


@pytest.mark.requirement("ROUTER-48")
def test_equal_intervals_are_spread_over_the_whole_interval(cadence: Cadence) -> None:
    for number in range(10):
        cadence.add(poll(lambda: None, str(number)))
    phases = sorted(entry.phase for entry in cadence.list())
    assert min(b - a for a, b in pairwise(phases)) > 0.05
    assert phases[-1] - phases[0] > 0.8


def test_a_long_interval_begins_within_a_minute(cadence: Cadence) -> None:
    for number in range(20):
        cadence.add(poll(lambda: None, str(number), 86_400.0))
    assert all(entry.due_in <= SPREAD + SLOT for entry in cadence.list())


@pytest.mark.requirement("ROUTER-50", "FG-08-3")
def test_a_poll_that_still_runs_is_not_started_again(cadence: Cadence, clock: VirtualClock) -> None:
    slow = Beats(clock, takes=2.5)
    cadence.add(poll(slow))
    run_virtually(clock, beat_for, cadence, 12.0)
    told, entry = cadence.summary(), cadence.list()[0]
    assert all(later - earlier >= 2.5 for earlier, later in pairwise(slow.at))
    assert (told.ticks, told.overlaps, told.largest_concurrency) == (4, 8, 1)
    assert (entry.ticks, entry.overlaps) == (4, 8)


@pytest.mark.requirement("ROUTER-50", "FG-08-3")
def test_a_slow_poll_holds_up_the_others_for_one_turn_and_is_counted(cadence: Cadence, clock: VirtualClock) -> None:
    slow, quick = Beats(clock, takes=5.0), Beats(clock)
    cadence.add(poll(slow, "slow", 20.0))
    cadence.add(poll(quick, "quick", 0.1))
    run_virtually(clock, beat_for, cadence, 20.0)
    told = cadence.summary()
    assert max(later - earlier for earlier, later in pairwise(quick.at)) < 0.1 + TURN + SLOT
    assert told.largest_concurrency == 2
    assert 49 <= told.collisions <= 51
    assert told.lateness_max_ms <= TURN * 1000 + 1


@pytest.mark.requirement("ROUTER-51")
def test_a_failing_poll_backs_off_up_to_its_cap(clock: VirtualClock, cadence: Cadence) -> None:
    tries: list[float] = []

    def fail() -> None:
        tries.append(clock.monotonic())
        raise OSError("the disk is gone")

    other = Beats(clock)
    cadence.add(poll(fail, "failing", longest_backoff=8.0))
    cadence.add(poll(other, "other"))
    run_virtually(clock, beat_for, cadence, 100.0)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    for gap, full in zip(gaps, [2.0, 4.0, *[8.0] * len(gaps)], strict=False):
        assert 0.75 * full - SLOT <= gap <= full + SLOT
    assert max(gaps[3:]) - min(gaps[3:]) > 0.5, "every back-off has a jitter of its own"
    assert len(other.at) == 100
    entry = next(entry for entry in cadence.list() if entry.name == "failing")
    assert (entry.failures, entry.failing_for, entry.missed) == (len(tries), len(tries), 0)
    assert entry.last_fault == "OSError('the disk is gone')"


@pytest.mark.requirement("ROUTER-51")
def test_a_poll_that_recovers_returns_to_its_own_grid(clock: VirtualClock, cadence: Cadence) -> None:
    beats: list[float] = []

    async def fail_at_first() -> None:
        await anyio.sleep(0.001)
        beats.append(clock.monotonic())
        if len(beats) <= 3:
            raise ValueError("not yet")

    cadence.add(poll(fail_at_first))
    phase = cadence.list()[0].phase
    run_virtually(clock, beat_for, cadence, 40.0)
    assert {round((at - phase - 0.001) % 1.0, 3) % 1.0 for at in beats[4:]} == {0.0}
    assert [round(b - a, 3) for a, b in pairwise(beats[4:])] == [1.0] * len(beats[5:])
    assert cadence.list()[0].failing_for == 0


@pytest.mark.requirement("ROUTER-51")
def test_jitter_moves_beats_but_not_the_beat(clock: VirtualClock, cadence: Cadence) -> None:
    beats = Beats(clock)
    cadence.add(poll(beats, jitter=0.2))
    phase = cadence.list()[0].phase
    run_virtually(clock, beat_for, cadence, 200.5)
    away = [at - (phase + number) for number, at in enumerate(beats.at)]
    assert all(abs(distance) <= 0.1 + SLOT for distance in away)
    assert max(away) - min(away) > 0.15
    assert len(beats.at) in {200, 201}


def test_what_was_missed_while_the_process_stood_still_is_counted_and_not_made_up(
    clock: VirtualClock, cadence: Cadence
) -> None:
    beats: list[float] = []

    def stand_still_once() -> None:
        beats.append(clock.monotonic())
        if len(beats) == 3:
            clock.advance(10.0)

    cadence.add(poll(stand_still_once))
    run_virtually(clock, beat_for, cadence, 20.0)
    assert cadence.list()[0].missed == 9
    assert len(beats) == 11
    assert min(later - earlier for earlier, later in pairwise(beats)) > 0.99


def test_stopping_lets_what_runs_come_to_its_end(clock: VirtualClock, cadence: Cadence) -> None:
    ended: list[float] = []

    async def work() -> None:
        await anyio.sleep(GRACE - 1)
        ended.append(clock.monotonic())

    cadence.add(poll(work, interval=2.0))
    run_virtually(clock, beat_for, cadence, 2.0)
    assert len(ended) == 1
    assert not cadence.list()[0].running


def test_a_poll_that_hangs_is_cut_off_after_the_grace(clock: VirtualClock, cadence: Cadence) -> None:
    cadence.add(poll(anyio.sleep_forever))
    run_virtually(clock, beat_for, cadence, 2.0)
    assert clock.monotonic() == pytest.approx(2.0 + GRACE)
    assert not cadence.list()[0].running


def test_a_stop_that_comes_before_the_start_is_not_lost(clock: VirtualClock, cadence: Cadence) -> None:
    cadence.add(poll(lambda: None))
    cadence.stop()
    run_virtually(clock, cadence.run)
    assert cadence.summary().ticks == 0


def test_a_poll_added_while_the_scheduler_naps_beats_in_time(clock: VirtualClock, cadence: Cadence) -> None:
    late, removed = Beats(clock), Beats(clock)

    async def go() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(cadence.run)
            await anyio.sleep(1.0)
            cadence.add(poll(removed, "removed", 0.5))
            await anyio.sleep(1.0)
            cadence.remove("removed")
            cadence.add(poll(late, "late", 0.5))
            await anyio.sleep(1.0)
            cadence.stop()

    run_virtually(clock, go)
    assert len(late.at) == len(removed.at) == 2
    assert late.at[0] > 2.0 > removed.at[-1]


def test_a_poll_may_remove_itself(clock: VirtualClock, cadence: Cadence) -> None:
    def once() -> None:
        cadence.remove("once")
        raise LookupError("and fail on the way out")

    cadence.add(poll(once, "once"))
    run_virtually(clock, beat_for, cadence, 5.0)
    assert (cadence.summary().ticks, cadence.list()) == (1, ())


def test_polls_registered_long_before_the_start_have_missed_nothing(clock: VirtualClock, cadence: Cadence) -> None:
    beats = Beats(clock)
    cadence.add(poll(beats))
    clock.advance(1000.0)
    run_virtually(clock, beat_for, cadence, 10.0)
    assert (len(beats.at), cadence.summary().missed) == (10, 0)
    assert cadence.summary().lateness_max_ms < 1


@pytest.mark.requirement("FG-08-1")
def test_the_list_shows_every_interval_with_its_owner_the_next_one_first(cadence: Cadence) -> None:
    cadence.add(Poll(name="witness", owner="ledger", interval=30.0, run=lambda: None))
    cadence.add(Poll(name="wake", owner="projections", interval=0.05, run=lambda: None, jitter=0.1))
    first, second = cadence.list()
    assert (first.name, first.owner, first.interval, first.jitter) == ("wake", "projections", 0.05, 0.1)
    assert (second.name, second.owner, second.interval, second.running) == ("witness", "ledger", 30.0, False)
    assert 0 < first.due_in <= first.interval
    assert first.due_in < second.due_in <= 30.0


def test_without_coordination_each_timer_starts_when_it_is_made(clock: VirtualClock) -> None:
    cadence, beats = Cadence(clock, coordinated=False), [Beats(clock, 0.01) for _ in range(3)]
    for number, own in enumerate(beats):
        cadence.add(poll(own, str(number)))
    run_virtually(clock, beat_for, cadence, 5.5)
    assert [own.at for own in beats] == [[1.0, 2.0, 3.0, 4.0, 5.0]] * 3
    told = cadence.summary()
    assert (told.ticks, told.collisions, told.largest_concurrency) == (15, 15, 3)


@pytest.mark.parametrize(
    "faulty",
    [
        {"interval": 0.0},
        {"interval": float("nan")},
        {"interval": float("inf")},
        {"jitter": 1.5},
        {"jitter": float("nan")},
        {"longest_backoff": 0.0},
        {"name": ""},
        {"owner": ""},
    ],
    ids=str,
)
def test_a_poll_that_makes_no_sense_is_refused(cadence: Cadence, faulty: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "look", "owner": "tests", "interval": 1.0, "run": lambda: None}
    with pytest.raises(BadInput, match="cannot be scheduled"):
        cadence.add(Poll(**(given | faulty)))
    assert cadence.list() == ()


def test_a_name_belongs_to_one_poll(cadence: Cadence) -> None:
    cadence.add(poll(lambda: None))
    with pytest.raises(BadInput, match="already a poll named 'look'"):
        cadence.add(poll(lambda: None))
    with pytest.raises(BadInput, match="no poll named 'ghost'"):
        cadence.remove("ghost")


def test_a_threaded_poll_leaves_the_loop_alone() -> None:
    threads: list[str] = []
    beaten = threading.Event()

    def block() -> None:
        threads.append(threading.current_thread().name)
        beaten.set()

    async def go() -> None:
        cadence = Cadence(Clock())
        cadence.add(poll(block, interval=0.01, threaded=True))
        async with anyio.create_task_group() as group:
            group.start_soon(cadence.run)
            await anyio.to_thread.run_sync(beaten.wait, 10.0)
            cadence.stop()

    anyio.run(go)
    assert threads
    assert threading.main_thread().name not in threads


@pytest.mark.parametrize("wait", [anyio.sleep_forever, lambda: anyio.Event().wait()], ids=["asleep", "waiting"])
def test_virtual_time_says_when_nothing_can_happen_any_more(
    clock: VirtualClock, wait: Callable[[], Awaitable[None]]
) -> None:
    with pytest.raises(NothingLeft):
        run_virtually(clock, wait)


class Counted(Staggered):
    """A timetable whose slots in use can be seen."""

    @property
    def held(self) -> int:
        return len(self._taken)


def test_a_slot_is_given_back_however_a_beat_ends(clock: VirtualClock) -> None:
    timetable = Counted()
    cadence = Cadence(clock, timetable=timetable)

    def fail() -> None:
        raise OSError

    def once() -> None:
        cadence.remove("once")
        fail()

    for name, run in {"well": lambda: None, "failing": fail, "slow": Beats(clock, takes=2.5), "once": once}.items():
        cadence.add(poll(run, name))
    cadence.add(poll(lambda: None, "removed"))
    clock.advance(10.0)
    cadence.remove("removed")
    run_virtually(clock, beat_for, cadence, 100.0)
    assert timetable.held == len(cadence.list()) == 3


def test_a_virtual_wait_costs_its_timeout_unless_the_event_is_set(clock: VirtualClock) -> None:
    event = threading.Event()
    began = clock.now()
    assert not clock.wait(event, 2.0)
    event.set()
    assert clock.wait(event, 2.0)
    assert clock.now() - began == clock.monotonic() == 2.0

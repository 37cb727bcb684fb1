"""The timetable alone: numbers in, numbers out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.cadence import OwnTimers, Staggered
from control_plane.cadence.timetable import SLOT

TARGETS = st.lists(st.floats(1.0, 1.01), min_size=1, max_size=60)


@pytest.mark.requirement("ROUTER-48")
@given(targets=TARGETS)
def test_nobody_gets_a_slot_that_is_taken(targets: list[float]) -> None:
    timetable = Staggered()
    booked = [round(timetable.book(target, 0.0) / SLOT) for target in targets]
    assert len(set(booked)) == len(booked)


@given(targets=TARGETS)
def test_nobody_is_sent_further_away_than_there_are_others(targets: list[float]) -> None:
    timetable = Staggered()
    for others, target in enumerate(targets):
        assert abs(timetable.book(target, 0.0) - target) <= (others / 2 + 1) * SLOT


@given(targets=TARGETS, earliest=st.floats(0.99, 1.02))
def test_nothing_is_booked_in_the_past(targets: list[float], earliest: float) -> None:
    for timetable in (Staggered(), OwnTimers()):
        assert all(timetable.book(target, earliest) >= earliest - SLOT * 1e-6 for target in targets)


def test_a_released_slot_is_free_again() -> None:
    timetable = Staggered()
    first = timetable.book(1.0, 0.0)
    assert timetable.book(1.0, 0.0) != first
    timetable.release(first)
    assert timetable.book(1.0, 0.0) == first


def test_phases_fill_the_interval_evenly_for_any_number_of_polls() -> None:
    for polls in (2, 3, 10, 1000):
        phases = sorted(Staggered().phase(seat, 1.0) for seat in range(polls))
        gaps = [b - a for a, b in zip(phases, [*phases[1:], phases[0] + 1.0], strict=True)]
        assert max(gaps) < 3 / polls


def test_timers_of_their_own_know_nothing_of_each_other() -> None:
    timers = OwnTimers()
    assert [timers.book(1.0, 0.0), timers.book(1.0, 0.0)] == [1.0, 1.0]
    assert [timers.phase(0, 5.0), timers.phase(1, 5.0)] == [5.0, 5.0]
    timers.release(1.0)

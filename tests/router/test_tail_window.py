"""The window of calls that a tail is judged by: what fades, what stays, and its percentiles."""

import math
import random

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.router.hdr import LONGEST_MS, coarse_bucket, coarse_ceiling, fine_bucket, fine_floor, percentiles
from control_plane.router.tail_summary import _spread_censored, summary
from control_plane.router.tails import (
    KEPT,
    SLICE_RESULTS,
    Tail,
    observe,
    penalty,
)
from tests.router.test_tails import SLO, WINDOW, tail_of


@pytest.mark.requirement("ROUTER-40", "ROUTER-22")
def test_old_calls_fade_under_load():
    tail = tail_of(*[9000.0] * 500)
    assert penalty(tail, SLO, 500.0) == SLO.max_penalty
    for _ in range(WINDOW):
        observe(tail, 500.0, 100.0)
    assert penalty(tail, SLO, 500.0) == 0.0
    assert summary(tail, 500.0).count <= WINDOW


@pytest.mark.requirement("ROUTER-40", "ROUTER-22")
def test_old_calls_fade_with_time_even_when_no_new_ones_come():
    tail = tail_of(*[9000.0] * 100)
    assert penalty(tail, SLO, 100.0 + SLO.slice_s) == SLO.max_penalty
    assert penalty(tail, SLO, 100.0 + KEPT * SLO.slice_s) == 0.0
    assert summary(tail, 100.0 + KEPT * SLO.slice_s).count == 0


@pytest.mark.requirement("ROUTER-40")
def test_the_window_holds_the_newest_calls_never_the_oldest():
    tail = tail_of(*[float(number) for number in range(1000)])
    low = summary(tail, 1000.0).p50
    assert low is not None
    assert low >= 1000 - WINDOW
    assert sum(piece.count for piece in tail.slices) >= WINDOW - SLICE_RESULTS


def test_a_clock_that_was_set_back_neither_freezes_nor_empties_the_window():
    tail = tail_of(*[9000.0] * 100)
    observe(tail, 99.99, 9000.0)
    assert penalty(tail, SLO, 99.99) == SLO.max_penalty
    year = 365 * 86_400.0
    for number in range(30):
        observe(tail, number - year, 100.0)
    assert summary(tail, 30 - year).count == 30


@pytest.mark.requirement("ROUTER-22", "FG-06-1")
@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=120))
@settings(max_examples=40, deadline=None)
def test_percentiles_are_those_of_the_calls_in_the_window(latencies):
    told = summary(tail_of(*latencies), float(len(latencies)))
    ordered = sorted(latencies)
    for percent, value in ((50, told.p50), (95, told.p95), (99, told.p99)):
        assert value == pytest.approx(int(ordered[math.ceil(percent * len(ordered) / 100) - 1]), rel=0.01, abs=1)


@pytest.mark.requirement("ROUTER-25")
def test_the_p99_bounds_hold_the_true_p99_and_are_withheld_from_few_calls():
    few = summary(tail_of(*[100.0] * 5), 5.0)
    assert (few.p99_bound_low is None, few.p99_bound_high) == (False, None)
    assert summary(Tail(), 0.0).p99_bound_low is None
    source, truth, below = random.Random(7), 10.0 ** (2 + 0.99), 0
    for _ in range(200):
        told = summary(tail_of(*[10.0 ** (2 + source.random()) for _ in range(100)]), 100.0)
        assert told.p99_bound_low is not None
        below += told.p99_bound_low <= truth
    assert below >= 196


def test_a_censored_call_is_shared_among_the_slower_ones():
    tail = tail_of(10.0, 20.0, 30.0, 40.0)
    observe(tail, 4.0, 20.0, censored=True)
    # Kaplan-Meier by hand: 1/5 at 10, 1/5 at 20, then 3/5 over two calls of 3/10 each.
    told = [percentiles(_spread_censored({10: 1, 20: 1, 30: 1, 40: 1}, {20: 1}), [p])[0] for p in (20, 40, 41, 70, 71)]
    assert told == [10, 20, 30, 30, 40]
    assert summary(tail, 4.0).p50 == 30.0


@given(st.floats(0.0, float(LONGEST_MS)))
@settings(deadline=None)
def test_buckets_are_numbered_as_the_library_numbers_them(ms):
    fine, coarse = HdrHistogram(1, LONGEST_MS, 2), HdrHistogram(1, LONGEST_MS, 1)
    assert fine_bucket(ms) == fine._counts_index_for(int(ms))
    assert coarse_bucket(ms) == coarse._counts_index_for(int(ms))
    assert fine_floor(fine_bucket(ms)) == fine.get_lowest_equivalent_value(int(ms))
    assert coarse_ceiling(coarse_bucket(ms)) == coarse.get_highest_equivalent_value(int(ms))


@pytest.mark.parametrize(("ms", "kept"), [(-1.0, 0), (math.nan, 0), (math.inf, LONGEST_MS), (1e12, LONGEST_MS)])
def test_a_latency_beyond_all_bounds_is_held_at_the_bound(ms, kept):
    assert fine_bucket(ms) == fine_bucket(kept)
    tail = tail_of(ms)
    assert tail.slices[0].total == {fine_bucket(kept): 1}

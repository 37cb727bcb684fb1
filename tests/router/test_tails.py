"""Tails: slow arms are demoted within 50 results, few samples condemn nobody, and what is past is forgotten."""

import math
import random
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import BadInput
from control_plane.router.binomial import DOUBT, too_few, too_many
from control_plane.router.hdr import percentiles
from control_plane.router.running import MOST, PATIENCE_S, REPORTED, Running, began, elapsed_ms, ended
from control_plane.router.tail_summary import summary
from control_plane.router.tails import (
    FEWEST,
    KEPT,
    SLICE_RESULTS,
    USUAL_MEMORY,
    Tail,
    TailPolicy,
    aim,
    judge,
    observe,
    penalty,
    reason,
)

SLO = TailPolicy()
HALF = SLO.max_penalty / 2
RELATIVE = TailPolicy(p95_limit_ms=None, p99_limit_ms=None)
WINDOW = KEPT * SLICE_RESULTS
calls = st.tuples(st.floats(0.0, 400.0), st.floats(0.0, 1e6), st.one_of(st.none(), st.floats(0.0, 1e4)), st.booleans())


class Arm:
    """An arm whose calls end one a second, with latencies drawn around a p95 of `p95` ms."""

    def __init__(self, policy: TailPolicy = SLO, p95: float = 1500.0, seed: int = 1) -> None:
        self.tail, self.policy, self.now = Tail(), policy, 1_700_000_000.0
        aim(self.tail, policy)
        self._random, self._middle = random.Random(seed), math.log(p95) - 1.645 * 0.5

    def calls(self, count: int, times: float = 1.0, every: float = 1.0) -> int | None:
        """Make so many calls; the number of the one after which at least half of the penalty was due."""
        demoted = None
        for number in range(1, count + 1):
            self.now += every
            observe(self.tail, self.now, self._random.lognormvariate(self._middle, 0.5) * times)
            if demoted is None and self.penalty() >= HALF:
                demoted = number
        return demoted

    def penalty(self) -> float:
        return penalty(self.tail, self.policy, self.now)


def tail_of(*latencies: float, policy: TailPolicy = SLO, **how: bool) -> Tail:
    tail = Tail()
    aim(tail, policy)
    for second, latency in enumerate(latencies):
        observe(tail, float(second), latency, **how)
    return tail


@pytest.mark.requirement("ROUTER-81", "ROUTER-26", "FG-06-2")
@pytest.mark.parametrize("policy", [SLO, RELATIVE], ids=["limits", "usual"])
@pytest.mark.parametrize("seed", range(5))
def test_a_tail_ten_times_worse_is_demoted_within_50_results_and_rehabilitated(policy, seed):
    arm = Arm(policy, seed=seed)
    assert arm.calls(3000) is None
    demoted = arm.calls(50, times=10.0)
    assert demoted is not None
    assert demoted <= 15  # 50 is the bar; the figures seen are 3 to 12
    arm.calls(WINDOW)
    assert arm.penalty() == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_it_is_enough_that_the_slowest_fifth_turns_ten_times_worse(seed):
    arm, chance = Arm(seed=seed), random.Random(seed)
    arm.calls(1000)
    assert any(arm.calls(1, times=10.0 if chance.random() < 0.2 else 1.0) for _ in range(50))


@pytest.mark.long
@pytest.mark.requirement("ROUTER-81")
@pytest.mark.parametrize("policy", [SLO, RELATIVE], ids=["limits", "usual"])
def test_a_million_good_results_do_not_hide_fifty_bad_ones(policy):
    arm = Arm(policy)
    for number in range(1_000_000):
        observe(arm.tail, arm.now + 0.1 * number, 300.0 + number % 700)
    arm.now += 100_000.0
    assert arm.penalty() == 0.0
    assert arm.calls(50, times=10.0) is not None


@pytest.mark.requirement("ROUTER-83", "ROUTER-25")
@pytest.mark.parametrize("policy", [SLO, RELATIVE], ids=["limits", "usual"])
def test_five_calls_of_which_two_are_slow_condemn_nobody(policy):
    assert penalty(tail_of(100.0, 9000.0, 100.0, 9000.0, 100.0, policy=policy), policy, 5.0) == 0.0


@pytest.mark.requirement("ROUTER-83")
@given(st.lists(calls, max_size=FEWEST - 1), st.sampled_from([SLO, RELATIVE]))
@settings(deadline=None)
def test_too_few_calls_never_condemn_whatever_they_are(few, policy):
    tail, now = Tail(), 0.0
    aim(tail, policy)
    for gap, latency, first, censored in few:
        now += gap
        observe(tail, now, latency, first, censored)
        assert penalty(tail, policy, now) == 0.0
        assert reason(tail, policy, now) is None


@pytest.mark.requirement("ROUTER-25")
def test_a_limit_is_broken_only_beyond_the_binomial_bound():
    just = too_many(40, 0.01)
    slow = [5000.0] * (just - 1)
    assert penalty(tail_of(*slow, *[100.0] * (40 - len(slow))), SLO, 40.0) == 0.0
    slow.append(5000.0)
    assert penalty(tail_of(*slow, *[100.0] * (40 - len(slow))), SLO, 40.0) >= HALF


@given(st.integers(1, 150), st.sampled_from([0.01, 0.04, 0.05, 0.2]))
@settings(max_examples=40, deadline=None)
def test_the_bounds_are_the_exact_binomial_ones(count, share):
    # In whole numbers: shares are 2^-60ths of one.
    p, whole = int(share * 2**60), 2**60
    terms = [math.comb(count, k) * p**k * (whole - p) ** (count - k) for k in range(count + 1)]

    def at_least(slow: int) -> float:
        return sum(terms[slow:]) / whole**count

    many, few = too_many(count, share), too_few(count, share)
    assert at_least(many) < DOUBT <= at_least(many - 1)
    if few is None:
        assert 1 - at_least(1) >= DOUBT
    else:
        assert 1 - at_least(few + 1) < DOUBT <= 1 - at_least(few + 2)


@pytest.mark.parametrize("p95", [1000.0, 1500.0, 1800.0])
def test_an_arm_within_its_limits_is_left_in_peace(p95):
    arm = Arm(p95=p95)
    assert arm.calls(3000) is None
    assert arm.penalty() == 0.0


@pytest.mark.requirement("ROUTER-26")
def test_the_penalty_grows_with_the_share_of_slow_calls_up_to_its_maximum():
    def after(slow: int) -> float:
        return penalty(tail_of(*[2500.0 if i % 50 < slow else 100.0 for i in range(100)]), SLO, 100.0)

    steps = [after(slow) for slow in range(0, 51, 2)]
    assert steps == sorted(steps)
    assert {0.0, HALF, SLO.max_penalty * 0.75, SLO.max_penalty} == set(steps)


def test_the_reason_names_limit_and_figures():
    tail = tail_of(*[2500.0 if i % 2 else 100.0 for i in range(24)])
    assert reason(tail, SLO, 24.0) == "p95 above 2200 ms: 12 of 24 recent calls were slower"
    arm = Arm(RELATIVE)
    arm.calls(3000)
    arm.calls(50, times=10.0)
    assert "3 times its usual" in (reason(arm.tail, RELATIVE, arm.now) or "")


@pytest.mark.requirement("ROUTER-24", "ROUTER-82")
def test_calls_that_timed_out_count_as_slow_though_they_never_ended():
    tail = tail_of(*[100.0] * 40)
    for _ in range(8):
        observe(tail, 40.0, 30_000.0, censored=True)
    assert penalty(tail, SLO, 40.0) >= HALF
    assert summary(tail, 40.0).censored == 8


@pytest.mark.requirement("ROUTER-24", "ROUTER-82")
@pytest.mark.parametrize(("latency", "percent"), [(2500.0, 95), (30_000.0, 99)])
def test_a_call_cut_short_is_never_a_fast_one(latency, percent):
    slow = tail_of(*[latency] * 6, *[100.0] * 20)
    before = judge(slow, SLO, 23.0)
    assert before is not None
    assert before.percent == percent
    for _ in range(20):
        observe(slow, 23.0, 5.0, censored=True)
    after = judge(slow, SLO, 23.0)
    assert after is not None
    assert (after.slow, after.known) == (before.slow, before.known)
    # Half of the calls were cancelled at once: the others say how long calls take.
    assert summary(tail_of(*[1000.0] * 20), 20.0).p50 == pytest.approx(1000, rel=0.01)
    half = tail_of(*[1000.0] * 20)
    for _ in range(20):
        observe(half, 20.0, 5.0, censored=True)
    assert summary(half, 20.0).p50 == pytest.approx(1000, rel=0.01)


@pytest.mark.requirement("ROUTER-82")
def test_calls_still_running_count_once_they_passed_a_limit():
    tail = tail_of(*[100.0] * 60)
    assert penalty(tail, SLO, 60.0, running_ms=[50.0] * 30) == 0.0
    assert penalty(tail, SLO, 60.0, running_ms=[20_000.0] * 10) >= HALF
    assert "10 of 22" in (reason(tail, SLO, 60.0, running_ms=[20_000.0] * 10) or "")


@pytest.mark.requirement("ROUTER-82")
def test_a_decision_without_a_result_is_a_running_call_until_it_is_a_lost_one():
    running = Running()
    for number in range(int(REPORTED)):
        began(running, f"d{number}", 0.0)
        ended(running, f"d{number}")
    began(running, "slow", 0.0)
    assert elapsed_ms(running, 5.0) == [5000.0]
    assert elapsed_ms(running, PATIENCE_S) == []
    began(running, "next", PATIENCE_S)
    assert list(running.started) == ["next"]


def test_where_callers_report_little_silence_says_nothing():
    running = Running()
    for number in range(1000):
        began(running, f"d{number}", float(number))
        if number % 2:
            ended(running, f"d{number}")
    assert elapsed_ms(running, 1000.0) == []
    assert len(running.started) <= MOST


@pytest.mark.requirement("ROUTER-23")
def test_time_to_first_token_is_told_apart_from_total_time():
    tail = Tail()
    for second in range(60):
        observe(tail, float(second), 2000.0, 80.0)
    told = summary(tail, 60.0)
    assert told.p50 == pytest.approx(2000, rel=0.01)
    assert (told.ttft_p50, told.ttft_p95) == (80.0, 80.0)
    # A long answer that begins at once: neither figure is divided by the other.
    assert penalty(tail, SLO, 60.0) == 0.0


def test_nothing_weighs_nothing():
    assert percentiles({}, [50.0, 99.0]) == [None, None]


@pytest.mark.parametrize(
    "wrong", [{"p95_limit_ms": 0.0}, {"p99_limit_ms": math.nan}, {"max_penalty": 2.0}, {"worse": 0.5}, {"slice_s": 0.0}]
)
def test_a_policy_that_means_nothing_is_refused(wrong):
    with pytest.raises(BadInput):
        TailPolicy(**wrong)


@given(st.lists(calls, max_size=300), st.sampled_from([SLO, RELATIVE, TailPolicy(p99_limit_ms=None, slice_s=20.0)]))
@settings(max_examples=30, deadline=None)
def test_a_policy_tried_on_a_tail_judges_as_if_it_had_always_been_in_force(seen, policy):
    one, other, now = Tail(), Tail(), 0.0
    aim(other, policy)
    for gap, latency, first, censored in seen:
        now += gap / 10
        for tail in (one, other):
            observe(tail, now, latency, first, censored)
    if policy.slice_s == SLO.slice_s and policy.p95_limit_ms is not None:
        assert judge(one, policy, now) == judge(other, policy, now)
    trial = msgspec.msgpack.encode(one)
    judge(one, policy, now)
    assert msgspec.msgpack.encode(one) == trial
    aim(other, SLO)
    aim(other, policy)
    again = [(p.slow95, p.slow99, p.open95, p.open99) for p in other.slices]
    for piece in other.slices:
        piece.slow95 = piece.slow99 = piece.open95 = piece.open99 = -1
    other.limit95 = -1
    aim(other, policy)
    assert [(p.slow95, p.slow99, p.open95, p.open99) for p in other.slices] == again


@given(st.lists(calls, max_size=200), st.sampled_from([SLO, RELATIVE]))
@settings(max_examples=30, deadline=None)
def test_a_snapshot_in_the_middle_changes_nothing(seen, policy):
    one, now = Tail(), 0.0
    aim(one, policy)
    two = one
    for number, (gap, latency, first, censored) in enumerate(seen):
        now += gap / 10
        if number % 7 == 3:
            two = msgspec.msgpack.decode(msgspec.msgpack.encode(two), type=Tail)
        observe(one, now, latency, first, censored)
        if two is not one:
            observe(two, now, latency, first, censored)
    assert msgspec.msgpack.encode(two) == msgspec.msgpack.encode(one)
    assert penalty(two, policy, now) == penalty(one, policy, now)


def test_what_looks_sick_is_taken_for_usual_only_slowly():
    arm = Arm(RELATIVE)
    arm.calls(3000)
    arm.calls(600, times=10.0)
    assert arm.penalty() >= HALF
    arm.calls(6000, times=10.0)
    assert arm.penalty() == 0.0  # by now it is what this arm is like


def test_a_tail_stays_small_however_many_calls_it_sees():
    arm = Arm()
    arm.calls(2000)
    early = len(msgspec.msgpack.encode(arm.tail))
    arm.calls(20_000)
    assert len(msgspec.msgpack.encode(arm.tail)) < 1.5 * early
    assert arm.tail.usual_weight <= USUAL_MEMORY
    assert sum(arm.tail.usual.values()) == pytest.approx(arm.tail.usual_weight)


def test_observing_and_judging_cost_microseconds():
    tail, count = Tail(), 20_000
    aim(tail, RELATIVE)
    source = random.Random(1)
    latencies = [source.lognormvariate(6.0, 0.6) for _ in range(count)]
    begun = time.perf_counter()
    for second, latency in enumerate(latencies):
        observe(tail, second * 0.1, latency)
    observing = (time.perf_counter() - begun) / count
    begun = time.perf_counter()
    for _ in range(count):
        penalty(tail, RELATIVE, count * 0.1)
    judging = (time.perf_counter() - begun) / count
    print(f"observe {observing * 1e6:.2f} µs, penalty {judging * 1e6:.2f} µs")
    assert observing < 50e-6
    assert judging < 50e-6

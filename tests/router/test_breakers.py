"""Breakers: what opens and closes them, for how long, for whom, and who serves when all are open."""

import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import BadInput
from control_plane.router.breakers import (
    FAULTS,
    RETRY_CAP_S,
    Breaker,
    BreakerPolicy,
    may_probe,
    observe_result,
    probe_started,
    status,
)
from control_plane.router.ejection import (
    Breakers,
    cooled,
    ejected,
    is_closed,
    last_resort,
    probes,
    record,
)
from control_plane.router.ejection import may_probe as arm_may_probe
from control_plane.router.ejection import probe_started as arm_probe_started

POLICY = BreakerPolicy()
ARMS = {"acme/big": "acme", "acme/small": "acme", "acme/tiny": "acme", "other/one": "other", "local": None}
ERRORS = [*sorted(FAULTS), "caller", "cancelled", None]
steps = st.lists(
    st.tuples(
        st.floats(-9.0, 40.0),
        st.sampled_from(["result", "result", "result", "probe"]),
        st.sampled_from(sorted(ARMS)),
        st.booleans(),
        st.sampled_from(ERRORS),
        st.sampled_from([None, None, 0.0, 7.0, 500.0]),
    ),
    max_size=150,
)


def fail(breaker, now, error="server", times=1, **how):
    """The last transition of so many faults at one moment."""
    found = None
    for _ in range(times):
        found = observe_result(breaker, now, False, error, **how) or found
    return found


def opened(name="arm", now=100.0, **how):
    breaker = Breaker(name)
    assert fail(breaker, now, times=POLICY.consecutive, **how) is not None
    return breaker


def down(breakers, arm, now, error="server", times=POLICY.consecutive):
    return [change for _ in range(times) for change in record(breakers, arm, ARMS[arm], now, False, error)]


@pytest.mark.requirement("ROUTER-32")
@pytest.mark.parametrize("error", sorted(FAULTS))
def test_each_kind_of_fault_opens_the_breaker_connection_errors_included(error):
    breaker = Breaker("arm")
    found = fail(breaker, 100.0, error, times=POLICY.consecutive)
    assert (found.frm, found.to, breaker.state) == ("closed", "open", "open")
    assert error in found.reason
    assert 100.0 + POLICY.base_s * (1 - POLICY.jitter) <= found.until <= 100.0 + POLICY.base_s


@pytest.mark.requirement("ROUTER-33")
@pytest.mark.parametrize("error", ["caller", "cancelled"])
def test_what_is_not_the_arms_fault_never_opens_it_and_never_vouches_for_it(error):
    breaker = Breaker("arm")
    fail(breaker, 100.0, times=POLICY.consecutive - 1)
    before = msgspec.msgpack.encode(breaker)
    assert fail(breaker, 100.0, error, times=1000, retry_after_s=60.0) is None
    assert msgspec.msgpack.encode(breaker) == before
    assert fail(breaker, 100.0).to == "open"


@pytest.mark.requirement("ROUTER-33")
@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.sampled_from(["caller", "cancelled"]), st.booleans()), max_size=60))
@settings(deadline=None)
def test_caller_errors_and_cancellations_never_open_anything(seen):
    breakers, now = Breakers(), 0.0
    for gap, error, ok in seen:
        now += gap
        assert record(breakers, "acme/big", "acme", now, ok, error, 60.0) == []
    assert cooled(breakers, now) == []


def test_wrong_work_is_no_outage():
    breaker = Breaker("arm")
    assert all(observe_result(breaker, float(second), False) is None for second in range(100))
    assert observe_result(breaker, 100.0, None) is None
    assert breaker.state == "closed"


def test_an_answer_in_between_breaks_the_row():
    breaker = Breaker("arm")
    for second in range(0, 2000, 20):
        fail(breaker, float(second), times=POLICY.consecutive - 1)
        for _ in range(4):
            observe_result(breaker, float(second), True)
    assert breaker.state == "closed"


def test_a_flapping_arm_is_opened_by_its_share_of_faults():
    breaker, found = Breaker("arm"), None
    for second in range(20):
        found = found or fail(breaker, float(second))
        observe_result(breaker, float(second), True)
    assert "5 of 9 calls failed" in found.reason


def test_faults_older_than_the_window_are_forgotten():
    breaker = Breaker("arm")
    for hour in range(50):
        fail(breaker, hour * 3600.0)
        observe_result(breaker, hour * 3600.0, True)
    assert breaker.state == "closed"


@pytest.mark.requirement("ROUTER-31")
def test_opening_again_never_shortens_the_deadline():
    breaker = Breaker("arm")
    fail(breaker, 100.0, "rate_limit", retry_after_s=120.0)
    assert breaker.until == 220.0
    assert fail(breaker, 101.0, "rate_limit", times=5, retry_after_s=1.0) is None
    fail(breaker, 102.0, "server", times=5)
    assert breaker.until == 220.0
    longer = fail(breaker, 103.0, "rate_limit", retry_after_s=300.0)
    assert (longer.frm, longer.to, longer.until) == ("open", "open", 403.0)


@pytest.mark.requirement("ROUTER-31")
def test_a_deadline_once_set_holds_when_the_next_opening_comes_from_a_clock_that_is_behind():
    breaker = opened(now=100.0)
    until = breaker.until
    probe_started(breaker, until)
    observe_result(breaker, until, True)
    assert fail(breaker, until - 30.0, times=POLICY.consecutive).until == until


@pytest.mark.requirement("ROUTER-37")
def test_the_wait_doubles_up_to_a_cap_with_a_jitter_that_only_shortens():
    breaker, waits = opened(now=0.0), []
    for _ in range(12):
        now = breaker.until
        assert probe_started(breaker, now) is not None
        again = fail(breaker, now, "timeout")
        assert again.reason == "the probe failed: timeout"
        waits.append(again.until - now)
    for number, wait in enumerate(waits, start=1):
        full = min(POLICY.cap_s, POLICY.base_s * 2**number)
        assert full * (1 - POLICY.jitter) <= wait <= full
    assert len({wait / min(POLICY.cap_s, POLICY.base_s * 2**n) for n, wait in enumerate(waits, 1)}) == len(waits)


@pytest.mark.requirement("ROUTER-37")
def test_arms_that_fail_together_do_not_come_back_together():
    deadlines = {opened(f"arm{number}").until for number in range(50)}
    assert len(deadlines) == 50
    assert [opened(f"arm{number}").until for number in range(50)] == [opened(f"arm{n}").until for n in range(50)]


def test_the_back_off_begins_anew_only_after_a_long_calm():
    def second_wait(calm):
        breaker = opened(now=0.0)
        observe_result(breaker, 10.0, True)
        found = fail(breaker, 10.0 + calm, times=POLICY.consecutive)
        return found.until - 10.0 - calm

    assert second_wait(1.0) > POLICY.base_s
    assert second_wait(POLICY.calm_s) <= POLICY.base_s


@pytest.mark.requirement("ROUTER-38")
def test_one_rate_limit_with_retry_after_opens_at_once_for_at_least_that_long():
    breaker = Breaker("arm")
    found = fail(breaker, 100.0, "rate_limit", retry_after_s=42.0)
    assert found.until == 142.0
    assert found.reason == "rate limit, retry after 42 s"
    assert not may_probe(breaker, 141.9)
    assert may_probe(breaker, 142.0)


@pytest.mark.requirement("ROUTER-38")
def test_retry_after_lengthens_whatever_opens_the_breaker_but_not_beyond_reason():
    assert opened(now=100.0, error="server", retry_after_s=60.0).until == 160.0
    breaker = Breaker("arm")
    fail(breaker, 0.0, "rate_limit", retry_after_s=1e12)
    assert breaker.until == RETRY_CAP_S


@pytest.mark.requirement("ROUTER-39")
def test_exactly_one_probe_closes_the_breaker():
    breaker = opened()
    assert not may_probe(breaker, 100.0)
    assert probe_started(breaker, 100.0) is None
    now = breaker.until
    assert (status(breaker, now).state, status(breaker, now).probing) == ("half-open", False)
    begun = probe_started(breaker, now, "d1")
    assert (begun.frm, begun.to) == ("open", "half-open")
    assert status(breaker, now).probing
    assert not may_probe(breaker, now)
    assert probe_started(breaker, now, "d2") is None
    healed = observe_result(breaker, now + 1, True, decision="d1")
    assert (healed.frm, healed.to, healed.reason) == ("half-open", "closed", "it answers again")
    assert not may_probe(breaker, now + 1)


@pytest.mark.requirement("ROUTER-39")
def test_a_lost_probe_does_not_block_for_ever():
    breaker = opened()
    now = breaker.until
    probe_started(breaker, now)
    assert not may_probe(breaker, now + POLICY.probe_s - 0.1)
    assert probe_started(breaker, now + POLICY.probe_s) is not None


@pytest.mark.requirement("ROUTER-39")
def test_a_cancelled_probe_makes_room_for_the_next_but_another_cancelled_call_does_not():
    breaker = opened()
    now = breaker.until
    probe_started(breaker, now, "d1")
    observe_result(breaker, now, None, "cancelled", decision="d0")
    assert not may_probe(breaker, now)
    observe_result(breaker, now, None, "cancelled", decision="d1")
    assert may_probe(breaker, now)


def test_a_straggler_from_before_the_fault_neither_closes_nor_escalates():
    breaker = opened(now=100.0)
    until = breaker.until
    assert observe_result(breaker, 100.5, True) is None
    assert fail(breaker, 100.6, "timeout", times=20) is None
    assert (breaker.state, breaker.until, breaker.openings) == ("open", until, 1)


@pytest.mark.requirement("ROUTER-39", "ROUTER-31", "ROUTER-33", "ROUTER-36")
@given(steps, st.sampled_from([0.0, 0.2, 0.5, 1.0]))
@settings(max_examples=80, deadline=None)
def test_invariants_of_any_history(history, share):
    breakers, now, in_flight, arm_names = Breakers(), 0.0, {}, sorted(ARMS)
    for number, (gap, kind, arm, ok, error, retry_after) in enumerate(history):
        now += gap
        every = [*breakers.arms.values(), *breakers.providers.values()]
        before = {id(breaker): (breaker.until, breaker.state) for breaker in every}
        if kind == "probe":
            for change in arm_probe_started(breakers, arm, ARMS[arm], now, f"d{number}"):
                key = change.name, change.name in ARMS
                assert in_flight.get(key, -1e9) + POLICY.probe_s <= now
                in_flight[key] = now
        else:
            changes = record(breakers, arm, ARMS[arm], now, ok, error, retry_after)
            assert all(change.to in {"open", "closed"} and change.reason for change in changes)
            for change in changes:
                in_flight.pop((change.name, change.name in ARMS), None)
            if error in {"caller", "cancelled"}:
                assert changes == []
        for breaker in every:
            until, state = before[id(breaker)]
            assert breaker.until >= until
            assert breaker.state in {"closed", "open", "half-open"}
            assert not (state == "closed" and breaker.state == "half-open")
        out = ejected(breakers, ARMS, share)
        assert len(out) <= share * len(ARMS)
        assert all(not is_closed(breakers, name, ARMS[name]) for name in out)
        assert sorted(last_resort(breakers, ARMS)) == arm_names
        able = {name for name in ARMS if arm_may_probe(breakers, name, ARMS[name], now)}
        assert set(probes(breakers, ARMS, now)) == able
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(breakers), type=Breakers) == breakers


@given(steps)
@settings(max_examples=40, deadline=None)
def test_the_same_history_gives_the_same_state_with_or_without_a_snapshot_between(history):
    one, two, now = Breakers(), Breakers(), 0.0
    for number, (gap, kind, arm, ok, error, retry_after) in enumerate(history):
        now += gap
        if kind == "probe":
            told = [arm_probe_started(state, arm, ARMS[arm], now, f"d{number}") for state in (one, two)]
        else:
            told = [record(state, arm, ARMS[arm], now, ok, error, retry_after) for state in (one, two)]
        assert told[0] == told[1]
        if number % 5 == 2:
            two = msgspec.msgpack.decode(msgspec.msgpack.encode(two), type=Breakers)
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(two)


def test_an_opened_breaker_counts_at_the_very_same_moment():
    breakers = Breakers()
    down(breakers, "other/one", 100.0, times=POLICY.consecutive - 1)
    assert ejected(breakers, ARMS) == []
    down(breakers, "other/one", 100.0, times=1)
    assert ejected(breakers, ARMS) == ["other/one"]


@pytest.mark.requirement("ROUTER-36")
def test_beyond_the_share_those_that_recover_first_are_spared():
    breakers = Breakers()
    for number, arm in enumerate(ARMS):
        record(breakers, arm, None, 100.0, False, "rate_limit", 60.0 + number)
    assert ejected(breakers, ARMS) == ["local", "other/one"]
    assert ejected(breakers, ARMS, share=0.0) == []
    assert ejected(breakers, {"local": None}) == []  # the only arm there is


def test_the_last_resort_is_whoever_recovers_first_and_answered_most():
    breakers = Breakers()
    record(breakers, "local", None, 100.0, False, "rate_limit", 90.0)
    record(breakers, "acme/big", None, 100.0, False, "rate_limit", 60.0)
    for _ in range(5):
        record(breakers, "acme/small", None, 100.0, True)
    record(breakers, "acme/small", None, 100.0, False, "rate_limit", 60.0)
    order = last_resort(breakers, dict.fromkeys(["local", "acme/big", "acme/small"]))
    assert order == ["acme/small", "acme/big", "local"]


def test_people_can_ask_who_is_cooled_why_and_until_when():
    breakers = Breakers()
    record(breakers, "acme/big", "acme", 100.0, False, "rate_limit", 60.0)
    record(breakers, "local", None, 100.0, True)
    (told,) = cooled(breakers, 110.0)
    assert (told.name, told.state, told.until, told.openings) == ("acme/big", "open", 160.0, 1)
    assert told.reason == "rate limit, retry after 60 s"
    assert cooled(breakers, 160.0)[0].state == "half-open"


def test_the_state_does_not_grow_with_the_results():
    breakers, sizes = Breakers(), []
    for number in range(20_000):
        arm = sorted(ARMS)[number % 5]
        record(breakers, arm, ARMS[arm], number * 0.5, number % 3 == 0, ERRORS[number % 7], None)
        if number in {2000, 19_999}:
            sizes.append(len(msgspec.msgpack.encode(breakers)))
    assert sizes[1] < 1.2 * sizes[0]


def test_clocks_that_differ_a_little_or_were_set_back_harm_nothing():
    breaker = Breaker("arm")
    for number in range(POLICY.faults):
        fail(breaker, 100.0 - 0.01 * number)
        observe_result(breaker, 100.0 - 0.02 * number, True)
    assert breaker.state == "open"
    other = opened(now=1e9)
    observe_result(other, other.until, True)
    assert fail(other, 5.0, times=POLICY.consecutive) is not None
    stuck = opened(now=1e9)
    assert may_probe(stuck, 5.0)
    probe_started(stuck, 5.0)
    assert fail(stuck, 5.0).until < 5.0 + POLICY.cap_s


@pytest.mark.requirement("SHIP-36")
@pytest.mark.parametrize("leap", [3600.0, 86_400.0])
def test_a_deadline_from_while_the_clock_was_wrong_is_none_once_it_is_right_again(leap):
    breaker = opened(now=100.0 + leap)
    assert may_probe(breaker, 101.0)
    assert status(breaker, 101.0).state == "half-open"
    probe_started(breaker, breaker.until, "lost")
    assert may_probe(breaker, 101.0)
    again = fail(breaker, 101.0, times=POLICY.consecutive)
    assert 101.0 < again.until <= 101.0 + POLICY.cap_s
    assert not may_probe(breaker, 102.0)


@pytest.mark.parametrize(
    "wrong", [{"consecutive": 0}, {"window_s": 0.0}, {"base_s": 400.0}, {"jitter": 1.0}, {"max_ejected": float("nan")}]
)
def test_a_policy_that_means_nothing_is_refused(wrong):
    with pytest.raises(BadInput):
        BreakerPolicy(**wrong)


def test_recording_and_ejecting_cost_microseconds():
    breakers, arms, count = Breakers(), {f"p{n % 5}/m{n}": f"p{n % 5}" for n in range(100)}, 20_000
    names = list(arms)
    begun = time.perf_counter()
    for number in range(count):
        record(breakers, names[number % 100], arms[names[number % 100]], number * 0.01, True)
    recording = (time.perf_counter() - begun) / count
    begun = time.perf_counter()
    for _ in range(200):
        ejected(breakers, arms)
    ejecting = (time.perf_counter() - begun) / 200
    print(f"record {recording * 1e6:.2f} µs, ejected of 100 {ejecting * 1e6:.1f} µs")
    assert recording < 50e-6
    assert ejecting < 1e-3

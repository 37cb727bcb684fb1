"""Strategy health: a failing strategy is bypassed at once, probed by one call, and back within a second."""

import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import BadInput
from control_plane.router.health import (
    HealthPolicy,
    StrategyHealth,
    allowed,
    failed,
    probe_started,
    recent_failures,
    succeeded,
    summary,
)

POLICY = HealthPolicy()


def bypassed(now=100.0):
    health = StrategyHealth()
    assert [failed(health, now, "raised") for _ in range(POLICY.threshold)] == [False] * (POLICY.threshold - 1) + [True]
    return health


@pytest.mark.requirement("FG-05-2")
def test_a_strategy_is_bypassed_after_its_threshold_of_failures_in_a_row():
    health = StrategyHealth()
    assert not failed(health, 100.0, "raised KeyError")
    assert allowed(health, 100.0)
    assert failed(health, 100.0, "raised KeyError")
    assert not allowed(health, 100.0)
    assert (health.bypass_count, health.reason, health.bypass_until) == (
        1,
        "raised KeyError",
        100.0 + POLICY.cooldown_s,
    )


@pytest.mark.requirement("FG-05-1", "ROUTER-09")
def test_counters_roll_with_the_window():
    health = StrategyHealth()
    for hour in range(5):
        assert not failed(health, hour * 3600.0, "raised")
        assert recent_failures(health, hour * 3600.0) == 1
    assert (health.consecutive_failures, health.total_failures) == (1, 5)
    assert recent_failures(health, 4 * 3600.0 + POLICY.window_s) == 0
    for second in (0.0, 31.0, 62.0):
        failed(health, 1e6 + second, "raised")
    assert recent_failures(health, 1e6 + 62.0) == 2


def test_a_success_in_between_breaks_the_row():
    health = StrategyHealth()
    for second in range(100):
        assert not failed(health, float(second), "raised")
        assert not succeeded(health, float(second))
    assert (health.clean, health.total_failures) == (True, 100)


@pytest.mark.requirement("ROUTER-10")
def test_after_the_cooldown_one_probe_goes_and_its_success_ends_the_bypass():
    health = bypassed()
    now = health.bypass_until
    assert allowed(health, now)
    assert probe_started(health, now)
    assert not allowed(health, now)
    assert not probe_started(health, now)
    assert succeeded(health, now)
    assert (allowed(health, now), health.clean, health.bypassed) == (True, True, False)


@pytest.mark.requirement("ROUTER-10")
@pytest.mark.parametrize(("growth", "expected"), [(2.0, [0.4, 0.8, 0.8, 0.8]), (3.0, [0.6, 0.8, 0.8, 0.8])])
def test_a_failed_probe_bypasses_again_for_longer_up_to_the_cap(growth, expected):
    health, waits, policy = bypassed(), [], HealthPolicy(growth=growth)
    for _ in expected:
        now = health.bypass_until
        assert probe_started(health, now)
        assert failed(health, now, "hung", policy)
        waits.append(round(health.bypass_until - now, 6))
    assert waits == expected


def test_a_lost_probe_does_not_block_for_ever():
    health = bypassed()
    now = health.bypass_until
    probe_started(health, now)
    assert allowed(health, now + POLICY.probe_s)


@pytest.mark.parametrize("fault_s", [0.1, 1.0, 10.0, 1000.0])
def test_however_long_the_fault_lasted_the_strategy_is_back_within_a_second_after_it(fault_s):
    health, now, every = StrategyHealth(), 0.0, 0.01
    while now < fault_s or not health.clean:
        if allowed(health, now):
            probe_started(health, now)
            if now < fault_s:
                failed(health, now, "raised")
            else:
                succeeded(health, now)
        now += every
    assert now - fault_s <= 1.0


def test_calls_under_way_when_the_bypass_began_neither_lengthen_nor_end_it():
    health = bypassed()
    until = health.bypass_until
    assert not failed(health, 100.1, "raised")
    assert not succeeded(health, 100.1)
    assert (health.bypass_until, health.bypass_count, health.bypassed) == (until, 1, True)


def test_a_clock_that_was_set_back_does_not_bypass_for_ever():
    health = bypassed(now=1e9)
    assert allowed(health, 5.0)
    assert probe_started(health, 5.0)
    assert succeeded(health, 5.1)


def test_the_summary_counts_bypassed_unhealthy_and_all():
    healths = {"learned": bypassed(), "fallback": StrategyHealth(), "project-start": StrategyHealth()}
    failed(healths["fallback"], 100.0, "nonsense")
    told = summary(healths, 100.1)
    assert (told.active_bypass, told.unhealthy, told.total) == (1, 2, 3)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 2.0), st.sampled_from(["fail", "succeed", "probe"])),
        max_size=100,
    )
)
@settings(max_examples=60, deadline=None)
def test_invariants_of_any_history(history):
    health, now, probed_at = StrategyHealth(), 0.0, -10.0
    for gap, kind in history:
        now += gap
        until = health.bypass_until
        if kind == "fail":
            if failed(health, now, "raised"):
                probed_at = -10.0
        elif kind == "succeed":
            if succeeded(health, now):
                probed_at = -10.0
        elif probe_started(health, now):
            assert now - probed_at >= POLICY.probe_s - 1e-9
            probed_at = now
        assert health.bypass_until >= until
        assert health.bypass_until - now <= POLICY.cap_s + 1e-9
        assert not health.clean or not health.bypassed
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(health), type=StrategyHealth) == health


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"cooldown_s": 2.0}, {"growth": 0.5}, {"window_s": 0.0}])
def test_a_policy_that_means_nothing_is_refused(wrong):
    with pytest.raises(BadInput):
        HealthPolicy(**wrong)


def test_a_healthy_strategy_costs_one_look_at_an_attribute():
    health, count = StrategyHealth(), 100_000
    begun = time.perf_counter()
    for _ in range(count):
        if not health.clean:
            allowed(health, 0.0)
    looking = (time.perf_counter() - begun) / count
    begun = time.perf_counter()
    for _ in range(count):
        allowed(health, 0.0)
    asking = (time.perf_counter() - begun) / count
    print(f"look {looking * 1e9:.0f} ns, ask {asking * 1e9:.0f} ns")
    assert max(looking, asking) < 10e-6

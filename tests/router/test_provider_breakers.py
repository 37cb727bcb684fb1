"""Breakers of providers: when the fault of one arm counts for all, and who may try."""

import pytest

from control_plane.router.ejection import (
    Breakers,
    ejected,
    probes,
    provider_of,
    record,
)
from control_plane.router.ejection import may_probe as arm_may_probe
from control_plane.router.ejection import probe_started as arm_probe_started
from tests.router.test_breakers import ARMS, POLICY, down


def test_one_bad_model_does_not_take_its_siblings_along():
    breakers = Breakers()
    changes = down(breakers, "acme/big", 100.0, times=50)
    assert [change.name for change in changes] == ["acme/big"]
    assert ejected(breakers, ARMS) == ["acme/big"]


def test_rate_limits_of_two_models_leave_a_provider_alone_whose_others_answer():
    breakers = Breakers()
    for arm in ("acme/big", "acme/small"):
        record(breakers, "acme/tiny", "acme", 100.0, True)
        record(breakers, arm, "acme", 100.0, False, "rate_limit", 60.0)
        record(breakers, "acme/tiny", "acme", 100.0, True)
    assert ejected(breakers, ARMS, share=1.0) == ["acme/big", "acme/small"]


def test_one_arms_retry_after_does_not_hold_back_its_whole_provider():
    breakers = Breakers()
    down(breakers, "acme/big", 100.0, "connection")
    until = breakers.providers["acme"].until
    record(breakers, "acme/big", "acme", 101.0, False, "rate_limit", 500.0)
    assert breakers.providers["acme"].until == until
    assert breakers.arms["acme/big"].until == 601.0


def test_a_provider_opens_when_two_of_its_arms_fail():
    breakers = Breakers()
    down(breakers, "acme/big", 100.0)
    changes = down(breakers, "acme/small", 101.0, times=1)
    assert [(change.name, change.to) for change in changes] == [("acme", "open")]
    assert set(ejected(breakers, ARMS, share=1.0)) == {"acme/big", "acme/small", "acme/tiny"}


def test_a_provider_that_nobody_can_connect_to_opens_after_a_few_refusals():
    breakers = Breakers()
    changes = down(breakers, "acme/big", 100.0, "connection")
    assert {change.name for change in changes} == {"acme/big", "acme"}


def test_a_failing_arm_of_long_ago_does_not_accuse_its_provider():
    breakers = Breakers()
    down(breakers, "acme/big", 100.0)
    changes = down(breakers, "acme/small", 100.0 + 2 * POLICY.window_s)
    assert [change.name for change in changes] == ["acme/small"]


def test_a_provider_is_probed_by_one_arm_and_best_by_a_healthy_one():
    breakers = Breakers()
    down(breakers, "acme/big", 100.0)
    down(breakers, "acme/small", 100.0)
    now = 100.0 + POLICY.cap_s
    assert probes(breakers, ARMS, now)[0] == "acme/tiny"
    begun = arm_probe_started(breakers, "acme/tiny", "acme", now, "d1")
    assert [change.name for change in begun] == ["acme"]
    assert not any(arm_may_probe(breakers, arm, ARMS[arm], now) for arm in ARMS)
    record(breakers, "acme/tiny", "acme", now, True, decision="d1")
    assert set(probes(breakers, ARMS, now)) == {"acme/big", "acme/small"}


@pytest.mark.parametrize(
    ("model", "provider"), [("acme/big", "acme"), ("acme/a/b", "acme"), ("big", None), ("/x", None)]
)
def test_the_provider_is_what_stands_before_the_slash(model, provider):
    assert provider_of(model) == provider

"""Flags are flipped while everything runs: by a signed event, below the environment, above the default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from control_plane import ControlPlane
from control_plane.errors import BadInput, SettingsError
from control_plane.flags import Flags, read_flags
from control_plane.governance.acts import check_act
from control_plane.governance.flag_events import FlagFlipped
from control_plane.governance.flips import is_strict
from control_plane.governance.provider import LedgerProvider
from control_plane.proving.gates import ACTOR, ARMS, NAME, WHY, site
from tests.governance.policies import BY, climb, fresh, word, written


@pytest.mark.requirement("GOV-16")
def test_a_flip_is_a_signed_event_that_holds_at_once_and_after_reopening():
    with site() as at:
        assert at.plane.flags.tail_slo
        at.plane.flips.flip("OPENCODE_TAIL_SLO", "false", **BY)
        assert not at.plane.flags.tail_slo
        with ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as other:
            assert not other.flags.tail_slo
            at.plane.flips.flip("OPENCODE_TAIL_SLO", None, **BY)
            other.folder.catch_up()
            assert other.flags.tail_slo
        first, second = written(at, FlagFlipped)
        assert (first.value, second.value, first.actor, first.reason) == ("false", None, ACTOR, WHY)
        for flip in (first, second):
            check_act(flip, at.keys.own.verifier.name, [at.keys.own.verifier])


@pytest.mark.requirement("GOV-15")
def test_the_environment_stands_above_a_flip(monkeypatch):
    monkeypatch.setenv("OPENCODE_TAIL_SLO", "true")
    with site() as at:
        at.plane.flips.flip("OPENCODE_TAIL_SLO", "false", **BY)
        assert at.plane.flags.tail_slo
        assert at.plane.flips.held() == {"OPENCODE_TAIL_SLO": "false"}


def test_a_flip_of_how_the_ledger_is_written_holds_from_the_next_opening():
    with site() as at:
        at.plane.flips.flip("OPENCODE_SYNC_IO_FALLBACK", "true", **BY)
        with ControlPlane.open(at.home, catalogue=ARMS, clock=at.clock, background=False) as other:
            assert other.ledger._synchronous
        assert not at.plane.ledger._synchronous


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("OPENCODE_NOTHING", "true", SettingsError),
        ("OPENCODE_NOTHING", None, SettingsError),
        ("OPENCODE_TAIL_SLO", "perhaps", SettingsError),
        ("CONTROL_PLANE_HOME", "/tmp", SettingsError),
        ("OPENCODE_TAIL_SLO", "false", BadInput),
    ],
)
def test_a_flip_that_could_not_be_read_back_is_not_written(name, value, error):
    by = BY if error is SettingsError else {"actor": "", "reason": ""}
    with site() as at:
        with pytest.raises(error):
            at.plane.flips.flip(name, value, **by)
        assert written(at, FlagFlipped) == []


@pytest.mark.requirement("FG-12-1", "FG-12-3")
def test_a_strict_flip_stands_on_the_simulation_of_a_policy_that_asks_for_it():
    strict = ("OPENCODE_ENFORCEMENT_MODE", "enforce")
    with site() as at:
        assert word(lambda: at.plane.flips.flip(*strict, **BY)) == "missing_policy_sim_gate"
        assert word(lambda: at.plane.flips.flip(*strict, policy=NAME, **BY)) == "missing_policy_sim_gate"
        at.plane.policies.propose('name = "silent"', **BY)
        offer = fresh(at, "silent")["simulation"]
        said = word(lambda: at.plane.flips.flip(*strict, policy="silent", simulation=offer, **BY))
        assert said == "policy_sim_other_policy"
        assert at.plane.flips.held() == {}
        offer = fresh(at)["simulation"]
        flip = at.plane.flips.flip(*strict, policy=NAME, simulation=offer, **BY)
        assert (flip.policy, len(flip.simulation)) == (NAME, 64)
        assert at.plane.flags.enforcement_mode == "enforce"
        assert word(lambda: at.plane.flips.flip(strict[0], "off", **BY)) == "ok"


SIGNING, MODE, FAMILIES = "OPENCODE_LEARNING_SIGNING_MODE", "OPENCODE_ENFORCEMENT_MODE", "OPENCODE_ENFORCE_FAMILIES"


@pytest.mark.parametrize(
    ("name", "value", "flips", "strict"),
    [
        (MODE, "enforce", {}, True),
        (MODE, "enforce", {MODE: "enforce"}, False),
        (MODE, "shadow", {MODE: "off"}, False),
        (MODE, "off", {MODE: "enforce"}, False),
        (MODE, None, {MODE: "off"}, False),
        (SIGNING, "require-signed", {}, False),
        (SIGNING, "strict", {SIGNING: "allow-unsigned"}, True),
        (SIGNING, None, {SIGNING: "off"}, True),
        (SIGNING, "require-signed", {SIGNING: "off"}, True),
        ("OPENCODE_STOP_CHECK_MODE", "execute", {}, True),
        (FAMILIES, "shell", {}, False),
        (FAMILIES, "shell", {FAMILIES: "shell,files"}, False),
        (FAMILIES, "shell,net", {FAMILIES: "shell,files"}, True),
        (FAMILIES, None, {FAMILIES: "shell"}, True),
        ("OPENCODE_TAIL_SLO", "true", {"OPENCODE_TAIL_SLO": "false"}, False),
    ],
)
def test_a_flip_is_strict_when_more_is_blocked_or_refused_by_it(name, value, flips, strict):
    assert is_strict(name, value, flips) == strict


@pytest.mark.requirement("GOV-17")
def test_flags_are_served_through_openfeature():
    from openfeature import api

    with site() as at:
        api.set_provider(LedgerProvider(at.plane.flips.flags), domain="control-plane")
        client = api.get_client(domain="control-plane")
        assert client.get_boolean_value("OPENCODE_TAIL_SLO", False) is True
        at.plane.flips.flip("OPENCODE_TAIL_SLO", "false", **BY)
        details = client.get_boolean_details("OPENCODE_TAIL_SLO", True)
        assert (details.value, details.reason) == (False, Reason.STATIC)
        assert client.get_string_value("OPENCODE_ENFORCEMENT_MODE", "") == "shadow"
        assert client.get_integer_value("OPENCODE_STOP_MAX_COMMANDS", 0) == 6
        assert client.get_object_value("OPENCODE_ENFORCE_FAMILIES", ["x"]) == []
        api.clear_providers()


@pytest.mark.requirement("GOV-18")
def test_evaluation_falls_back_to_the_callers_default_and_says_why():
    def broken() -> Flags:
        raise OSError("the ledger is gone")

    asked = LedgerProvider(broken).resolve_boolean_details("OPENCODE_TAIL_SLO", True)
    assert (asked.value, asked.error_code, asked.reason) == (True, ErrorCode.GENERAL, Reason.ERROR)
    provider = LedgerProvider(lambda: read_flags({}, {}))
    assert provider.resolve_boolean_details("NOTHING", True).error_code == ErrorCode.FLAG_NOT_FOUND
    assert provider.resolve_integer_details("OPENCODE_TAIL_SLO", 3).error_code == ErrorCode.TYPE_MISMATCH
    assert provider.resolve_integer_details("OPENCODE_TAIL_SLO", 3).value == 3


PROVIDERS = (LedgerProvider(lambda: read_flags({}, {})), LedgerProvider(lambda: None), LedgerProvider(lambda: 1 / 0))


@pytest.mark.requirement("GOV-18")
@given(
    key=st.one_of(
        st.sampled_from(sorted(Flags.model_json_schema()["properties"])), st.text(), st.none(), st.integers()
    ),
    default=st.one_of(st.booleans(), st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())),
    kind=st.sampled_from(["boolean", "string", "integer", "float", "object"]),
    provider=st.sampled_from(PROVIDERS),
)
def test_evaluation_never_throws_whatever_it_is_asked(key, default, kind, provider):
    details = getattr(provider, f"resolve_{kind}_details")(key, default)
    assert details.error_code is None or details.value is default


def test_a_policy_that_is_enforced_flips_nothing_twice():
    with site() as at:
        at.plane.flips.flip("OPENCODE_ENFORCEMENT_MODE", "off", **BY)
        climb(at, "evaluated")
        assert word(lambda: at.advance("shadow", **fresh(at))) == "braked"

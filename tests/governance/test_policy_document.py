"""A policy's file: strictly read, known by the hash of what it says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane import ControlPlane, Policy
from control_plane.assembly import check_router
from control_plane.errors import BadInput, SettingsError
from control_plane.governance.document import PolicyInvalid, from_canonical, read_policy

WHOLE = """
name = "careful"
description = "pays more for a success"
canary_share = 0.25
[router]
success_value_usd = 5.0
[simulation]
minimum_fidelity = "degraded"
[gates]
acceptance_ratio = 0.95
[flags]
OPENCODE_ENFORCEMENT_MODE = "enforce"
"""


@pytest.mark.requirement("GOV-13")
def test_the_hash_is_of_what_is_said_not_of_how():
    plain = read_policy(WHOLE)
    spaced = read_policy("# a comment\n" + WHOLE.replace(" = ", "   =   ") + "\n[gates2]\n".replace("[gates2]\n", ""))
    assert plain.hash == spaced.hash
    assert len(plain.hash) == 64
    assert from_canonical(plain.canonical) == plain
    with_default = read_policy('name = "a"\n[gates]\nacceptance_ratio = 0.9')
    assert with_default.hash == read_policy('name = "a"').hash
    assert read_policy(WHOLE.replace("5.0", "5.1")).hash != plain.hash


WRONG = {
    "no TOML": "name = ",
    "no name": "description = 'x'",
    "a name with a slash": 'name = "../up"',
    "an unknown word": 'name = "a"\nenforced = true',
    "an unknown word deeper": 'name = "a"\n[gates]\naceptance_ratio = 0.99',
    "laxer than the house": 'name = "a"\n[gates]\nacceptance_ratio = 0.5',
    "a negative delta": 'name = "a"\n[gates]\nminimum_delta = -0.1',
    "older than a day": 'name = "a"\n[gates]\nmost_hours = 48.0',
    "more results": 'name = "a"\n[gates]\nmost_results = 5000',
    "a share of all": 'name = "a"\ncanary_share = 1.0',
    "a word for a number": 'name = "a"\n[simulation]\np95_ms = "fast"',
    "no number": 'name = "a"\n[router]\nfloor = nan',
    "no end": 'name = "a"\n[router]\nfloor = inf',
    "a flag that is none": 'name = "a"\n[flags]\nOPENCODE_NOTHING = "true"',
    "a flag of the host": 'name = "a"\n[flags]\nCONTROL_PLANE_HOME = "/tmp"',
    "a value that no flag takes": 'name = "a"\n[flags]\nOPENCODE_TAIL_SLO = "perhaps"',
    "a success that costs": 'name = "a"\n[router]\nsuccess_value_usd = -5',
    "a success beyond reason": 'name = "a"\n[router]\nsuccess_value_usd = 1e308',
    "a breaker that looks back": 'name = "a"\n[router.breaker]\nwindow_s = -1',
    "a gate that it opens": 'name = "a"\n[flags]\nOPENCODE_SIM_GATE = "false"',
    "the other gate": 'name = "a"\n[flags]\nOPENCODE_EVAL_GATE = "0"',
    "a name twice": 'name = "a"\nname = "b"',
    "too long": 'name = "a"\n#' + "x" * 70_000,
}


@pytest.mark.requirement("GOV-13")
@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_is_not_understood_is_refused_with_a_code(text: str):
    with pytest.raises(PolicyInvalid) as refused:
        read_policy(text)
    assert refused.value.code == "policy.invalid"
    assert refused.value.what


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_nothing_but_a_coded_error_comes_of_noise(noise: bytes | str):
    with pytest.raises(PolicyInvalid):
        read_policy(noise)


PLAIN = {
    'name = "a"\nname = "b"': "the same name stands there twice (at",
    'name = "No Dashes"': "it takes a-z, 0-9 and dashes",
    'name = "a"\n[gates]\nacceptance_ratio = 0.5': "gates.acceptance_ratio must be at least 0.9",
    'name = "a"\n[gates]\naceptance_ratio = 0.95': "[gates] knows no aceptance_ratio",
    'name = "a"\n[simulation]\np95_ms = "fast"': "simulation.p95_ms must be a number, not text",
    "description = 'x'": "name is missing",
}


@pytest.mark.parametrize(("text", "why"), PLAIN.items())
def test_a_slip_of_the_pen_is_explained_without_the_words_of_a_decoder(text: str, why: str):
    with pytest.raises(PolicyInvalid) as refused:
        read_policy(text)
    assert why in refused.value.why
    assert refused.value.cure


def test_a_gate_may_be_asked_for_and_an_old_policy_still_opens():
    assert read_policy('name = "a"\n[flags]\nOPENCODE_SIM_GATE = "true"').flags
    assert from_canonical('{"name":"a","flags":{"OPENCODE_SIM_GATE":"false"},"router":{"success_value_usd":-5.0}}')


@pytest.mark.parametrize("worth", [-5.0, 1e308])
def test_a_success_is_worth_something_in_code_and_in_the_project_too(
    worth: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="success_value_usd"):
        ControlPlane.open(tmp_path / "home", policy=Policy(success_value_usd=worth), background=False)
    Path("control-plane.toml").write_text(f"[policy]\nsuccess_value_usd = {worth}\n")
    with pytest.raises(SettingsError, match="success_value_usd") as refused:
        ControlPlane.open(tmp_path / "home", background=False)
    assert refused.value.cure


def test_what_the_router_does_not_know_is_refused():
    check_router({"success_value_usd": 5.0, "tail": {}})
    for changes in ({"sucess_value_usd": 5.0}, {"tail": {"nothing": 1}}, {"success_value_usd": "much"}):
        with pytest.raises(PolicyInvalid):
            check_router(changes)

"""Policies and flips by command: tables for people, JSON for programs, 1 for a shut gate, 2 for bad input."""

import json
from pathlib import Path

import pytest

from control_plane.ledger.home import Home
from tests.cli.conftest import Run

BY = ("--actor", "ann", "--reason", "tried")
STRICT = "OPENCODE_ENFORCEMENT_MODE"


@pytest.fixture
def desk(home: Home) -> Path:
    Path("control-plane.toml").write_text('[[arms]]\nname = "acme/one"\n')
    Path("careful.toml").write_text(f'name = "careful"\n[flags]\n{STRICT} = "enforce"\n')
    return Path.cwd()


def test_a_policy_is_proposed_refused_evaluated_and_shown(desk: Path, run: Run) -> None:
    assert run("policy", "list").out == "no policy yet\n"
    assert run("policy", "propose", "careful.toml", *BY, "--json").json()["stage"] == "draft"
    refused = run("policy", "advance", "careful", *BY, "--json")
    assert (refused.code, refused.json()["verdict"]) == (1, "missing_policy_sim_gate")
    assert "missing_policy_sim_gate" in run("policy", "advance", "careful", *BY).out
    Path("scores.json").write_text(json.dumps({"candidate": [0.0] * 9, "baseline": [1.0] * 9}))
    worse = run("policy", "evaluate", "careful", "scores.json", "--out", "worse.json", "--json")
    assert (worse.code, worse.json()["verdict"]) == (1, "eval_report_not_passed")
    assert run("policy", "record", "worse.json", "--json").json()["digest"] == worse.json()["digest"]
    shown = run("policy", "show", "careful", "--json").json()
    assert shown["gates"] == {"simulation": "missing_policy_sim_gate", "evaluation": "eval_report_not_passed"}
    listed = run("policy", "list").out.splitlines()
    assert listed[0].split() == ["policy", "revision", "stage", "in", "force", "hash"]
    assert listed[1].split()[:3] == ["careful", "1", "draft"]


def test_a_flip_by_command_holds_in_the_next_one(desk: Path, run: Run) -> None:
    assert run("flags", "flip", "OPENCODE_TAIL_SLO", "false", *BY, "--json").json()["source"] == "ledger"
    assert run("flags", "explain", "OPENCODE_TAIL_SLO", "--json").json()["value"] == "false"
    assert run("flags", "flip", "OPENCODE_TAIL_SLO", "default", *BY, "--json").json()["value"] == "true"
    assert run("flags", "explain", "OPENCODE_TAIL_SLO", "--json").json()["source"] == "default"


def test_a_strict_flip_without_a_simulation_exits_with_one(desk: Path, run: Run) -> None:
    run("policy", "propose", "careful.toml", *BY)
    for policy in ((), ("--policy", "careful")):
        refused = run("flags", "flip", STRICT, "enforce", *policy, *BY, "--json")
        assert (refused.code, refused.json()["verdict"]) == (1, "missing_policy_sim_gate")
    assert run("flags", "explain", STRICT, "--json").json()["value"] == "shadow"


def test_the_environment_is_said_to_stand_above_a_flip(desk: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODE_TAIL_SLO", "true")
    flipped = run("flags", "flip", "OPENCODE_TAIL_SLO", "false", *BY)
    assert flipped.code == 0
    assert "stands above this flip" in flipped.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("policy", "show", "nobody"), "policy.unknown"),
        (("policy", "rollback", "nobody", *BY), "policy.unknown"),
        (("policy", "propose", "missing.toml", *BY), "input.invalid"),
        (("policy", "propose", "control-plane.toml", *BY), "policy.invalid"),
        (("policy", "advance", "careful"), "input.usage"),
        (("policy", "evaluate", "careful", "careful.toml"), "input.invalid"),
        (("flags", "flip", "OPENCODE_NOTHING", "true", *BY), "settings.invalid"),
    ],
)
def test_bad_input_exits_with_two_and_a_code(desk: Path, run: Run, words: tuple[str, ...], code: str) -> None:
    ran = run(*words, "--json")
    assert (ran.code, ran.out, ran.error()["code"]) == (2, "", code)

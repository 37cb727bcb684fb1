"""A refusal names what to do next, and never what is not so."""

from pathlib import Path

import pytest

from control_plane.ledger.home import Home
from tests.cli.conftest import Run
from tests.cli.test_examples import thread

PERSON = ("--actor", "ann", "--reason", "tried")


def refused(run: Run, *words: str) -> dict[str, str]:
    ran = run(*words, "--json")
    assert (ran.code, ran.out) == (2, "")
    error = ran.error()
    assert error["cure"]
    return error


def test_a_value_that_no_flag_takes_is_not_said_to_be_in_the_ledger(run: Run, home: Home):
    error = refused(run, "flags", "flip", "OPENCODE_TAIL_SLO", "maybe", *PERSON)
    assert "ledger" not in error["what"]
    assert error["why"] == "it takes true or false"


def test_a_stage_that_is_none_is_answered_with_those_there_are(run: Run, home: Home):
    Path("careful.toml").write_text('name = "careful"\n')
    run("policy", "propose", "careful.toml", *PERSON)
    assert "draft → simulated" in refused(run, "policy", "advance", "careful", "--to", "nope", *PERSON)["why"]
    skipped = refused(run, "policy", "advance", "careful", "--to", "enforce", *PERSON)
    assert (skipped["code"], "simulated" in skipped["cure"]) == ("policy.out-of-order", True)
    for words in (("rollback", "careful"), ("propose", "careful.toml")):
        assert refused(run, "policy", *words, *PERSON)["code"] == "policy.out-of-order"


def test_a_status_and_a_position_that_are_none_are_refused(run: Run, home: Home):
    assert "active, blocked, resolved, closed" in refused(run, "bridge", "threads", "--status", "bogus")["cure"]
    Path("careful.toml").write_text('name = "careful"\n')
    for words in (("--since", "-4"), ("--since", "0"), ("--until", "-1")):
        assert refused(run, "simulate", "careful.toml", *words)["code"] == "input.invalid"


def test_a_blocked_thread_is_archived_after_what_the_cure_says(run: Run, home: Home):
    name = thread(run)
    run("bridge", "escalate-thread", "--thread-id", name, "--reason", "circles")
    error = refused(run, "bridge", "archive-thread", "--thread-id", name, "--reason", "old")
    assert "override-close-thread" in error["cure"]
    assert "human_override:" in error["cure"]
    closing = ("bridge", "override-close-thread", "--thread-id", name, "--reason")
    assert "human_override:" in refused(run, *closing, "done")["cure"]
    assert run(*closing, "human_override: done").code == 0
    assert run("bridge", "archive-thread", "--thread-id", name, "--reason", "old").code == 0


@pytest.mark.parametrize("words", [("inspect-thread",), ("archive-thread", "--reason", "old")])
def test_a_thread_that_is_not_there(words: tuple[str, ...], run: Run, home: Home):
    assert refused(run, "bridge", *words, "--thread-id", "nope")["code"] == "bridge.not-found"


@pytest.mark.parametrize("content", ["", "{", '{"format": 1, "ledger": "../up", "root_key": "x"}'])
def test_a_home_json_that_cannot_be_read(content: str, run: Run, home: Home):
    (home.root / "home.json").write_text(content)
    assert "backup" in refused(run, "stats")["cure"]


def test_the_words_of_a_policy_file_are_not_those_of_a_decoder(run: Run, home: Home):
    Path("policy.toml").write_text('name = "No Dashes"\n')
    error = refused(run, "policy", "propose", "policy.toml", *PERSON)
    assert "a-z" in error["why"]
    assert "regex" not in error["why"]

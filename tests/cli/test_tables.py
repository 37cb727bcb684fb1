"""What governs is printed as a table for people and as one JSON document for programs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

WHO = ("--actor", "ann", "--reason", "tried")
ASKED = [
    (("policy", "list"), ("policy", "stage", "careful", "draft")),
    (("policy", "show", "careful"), ("careful", "success_value_usd")),
    (("simulate", "careful.toml"), ("decisions",)),
    (("review", "list"), ("kind", "guard", "status")),
    (("review", "report"), ("false",)),
    (("memory", "search", "journal"), ("the journal is flushed",)),
    (("learn", "advice", "--task-type", "code.fix"), ("risk",)),
]


@pytest.fixture
def governed(run: Run) -> None:
    Path("control-plane.toml").write_text('[[arms]]\nname = "acme/one"\n[[arms]]\nname = "acme/two"\n')
    Path("careful.toml").write_text('name = "careful"\n[router]\nsuccess_value_usd = 5.0\n')
    for words in (
        ("policy", "propose", "careful.toml", *WHO),
        ("review", "add", "guard", "--evidence", "blocked twice"),
        ("memory", "add", "the journal is flushed"),
        ("advise", "--task-type", "code.fix"),
    ):
        assert run(*words).code == 0, words


@pytest.mark.requirement("GOV-61", "GOV-62")
@pytest.mark.parametrize(("words", "seen"), ASKED, ids=[" ".join(words[:2]) for words, _ in ASKED])
def test_people_get_a_table_and_programs_get_json(
    governed: None, run: Run, words: tuple[str, ...], seen: tuple[str, ...]
) -> None:
    told = run(*words)
    assert told.code == 0, told.err
    for text in seen:
        assert text in told.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(told.out)
    asked = run(*words, "--json")
    assert asked.code == 0
    assert asked.json()


@pytest.mark.requirement("ROUTER-49", "FG-08-1")
def test_cadence_list_prints_every_interval_with_its_owner(run: Run) -> None:
    run("init")
    listed = json.loads(run("cadence", "list", "--json").out)
    polls = listed if isinstance(listed, list) else listed["polls"]
    assert len(polls) >= 5
    assert all(poll["owner"] and poll["interval"] > 0 for poll in polls)
    printed = run("cadence", "list").out
    for poll in polls:
        assert poll["name"] in printed
        assert poll["owner"] in printed

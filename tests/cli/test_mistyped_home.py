"""A home whose name was mistyped is refused by what only reads it, and nothing is made there."""

from pathlib import Path

import pytest

from control_plane import ControlPlane
from control_plane.errors import BadInput
from tests.cli.conftest import Run

PERSON = ("--actor", "ann", "--reason", "tried")
READING = [
    "stats", "replay", "report", "explain 01J", "cadence list", "policy list", "policy show p", "bridge threads",
    "bridge jobs", "bridge audit", "bridge review", "bridge inspect-thread --thread-id t", "memory search x",
    "memory forget 1", "review list", "review report", "plugins list", "learn status", "learn key list",
    "learn advice --task-type code.fix", "guard status", "guard kpi", "guard report progress",
    "guard weekly", "guard replay", "guard canary --session s", "run --list", "ledger head",
    "ledger verify", "ledger export", "flags list",
]  # fmt: skip


@pytest.mark.parametrize("words", READING)
def test_a_home_that_is_not_there_is_refused_and_not_made(words: str, run: Run, tmp_path: Path):
    place = tmp_path / "typo"
    ran = run(*words.split(), "--home", str(place), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error()["code"] == "home.unusable"
    assert "control-plane init" in ran.error()["cure"]
    assert not place.exists()


@pytest.mark.parametrize("words", ["policy advance p", "policy rollback p"])
def test_a_step_of_a_policy_makes_no_home_either(words: str, run: Run, tmp_path: Path):
    assert run(*words.split(), *PERSON, "--home", str(tmp_path / "typo")).code == 2
    assert not (tmp_path / "typo").exists()


def test_the_environment_names_a_home_as_the_option_does(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONTROL_PLANE_HOME", str(tmp_path / "typo"))
    assert "[home.unusable]" in run("stats").err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("words", ["stats", "replay", "policy list", "bridge threads", "memory search x"])
def test_before_the_first_advice_one_line_says_how_to_begin(words: str, run: Run, project: Path):
    ran = run(*words.split())
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert "`control-plane advise --task-type code.fix` begins" in line
    assert list(project.iterdir()) == []


def test_what_writes_makes_the_home(run: Run, tmp_path: Path):
    assert run("advise", "--task-type", "code.fix", "--home", str(tmp_path / "new")).code == 0
    assert run("stats", "--home", str(tmp_path / "new"), "--json").json()["decisions"] == 1


@pytest.mark.parametrize("words", ["advise --task-type code.fix", "init", "stats", "doctor", "ledger head", "serve"])
def test_an_address_of_another_database_is_refused_and_its_password_not_shown(words: str, run: Run, project: Path):
    ran = run(*words.split(), "--home", "mysql://ann:secret@x/y")
    assert (ran.code, ran.out) == (2, "")
    assert "postgresql://" in ran.err
    assert "secret" not in ran.err
    assert list(project.iterdir()) == []


def test_the_library_refuses_it_too(project: Path):
    with pytest.raises(BadInput, match="sqlite://"):
        ControlPlane.open("sqlite://x/y", background=False)
    assert list(project.iterdir()) == []


def test_an_incomplete_postgres_address_says_how_it_is_written(run: Run):
    assert "postgresql://user@host/database" in run("stats", "--home", "postgres://x").err

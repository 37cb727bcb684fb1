"""What a project's git would commit of us: nothing."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from control_plane import Arm, ControlPlane
from control_plane.cli import main
from control_plane.guardrails.sessionfile import update_session
from control_plane.unlisted import unlist


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, could_not_run: Callable[[str], NoReturn]) -> Path:
    if shutil.which("git") is None:
        could_not_run("git is not installed")
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    return tmp_path


def git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout


def opened() -> None:
    with ControlPlane.open(catalogue=[Arm("acme/one")], background=False):
        pass


def test_nothing_of_a_home_or_of_the_cache_would_be_committed(project: Path) -> None:
    opened()
    update_session(str(project), "s", {"editedFiles": ["a.py"]}, 0)
    assert (project / ".opencode/control-plane/keys/ledger.key").exists()
    assert git("add", "--dry-run", ".") == ""


def test_a_home_from_before_is_hidden_when_it_is_opened_and_a_file_of_somebody_stays(project: Path) -> None:
    opened()
    rules = project / ".opencode/control-plane/.gitignore"
    rules.unlink()
    opened()
    assert git("add", "--dry-run", ".") == ""
    rules.write_text("keys/\n")
    opened()
    assert rules.read_text() == "keys/\n"


def test_a_folder_that_cannot_be_written_is_left_alone(project: Path) -> None:
    unlist(project / "nobody")
    assert not (project / "nobody").exists()


def test_doctor_names_keys_that_git_keeps(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened()
    assert main(("doctor",)) == 0
    git("add", "--force", ".opencode/control-plane/keys")
    capsys.readouterr()
    assert main(("doctor",)) == 1
    told = capsys.readouterr().out
    assert "keys/ledger.key" in told
    assert "rm --cached" in told

"""The command line in this process, on a home of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import control_plane
from control_plane.cli import main
from control_plane.clock import Clock
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.home import Home
from control_plane.ledger.opening import Opened, create_home

CATALOGUE = Catalogue(facts.EVENTS)


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def error(self) -> dict[str, str]:
        """The coded error that was printed with --json."""
        error: dict[str, str] = json.loads(self.err.splitlines()[-1])["error"]
        return error


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder is each test's own: commands look for a project there, and `init` writes its catalogue."""
    folder = tmp_path_factory.mktemp("project")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> Ran:
        code = main(words)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with three events, found through the environment; the working folder is empty and its own."""
    home = Home(tmp_path / "home")
    create_home(home, CATALOGUE, Clock())
    grow(home, 2)
    monkeypatch.setenv("CONTROL_PLANE_HOME", str(home.root))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(Path(control_plane.__file__).parents[1]))
    return home


def grow(home: Home, events: int) -> None:
    opened = Opened(home, CATALOGUE, Clock())
    first = opened.backend.stored_upto("test") + 1
    states = [json.dumps({"at": 1.5, "n": first + n}).encode() for n in range(events)]
    opened.backend.insert("test", first, ["test.seen"] * events, states)
    opened.sight()
    opened.close()

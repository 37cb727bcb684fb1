"""What every test gets: a witness of its own, a clean environment, and an honest summary at the end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_requirements import counts, load_manifest

NOT_RUN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long forms too, as `make prove` does")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out and say so; pytest counts them as deselected."""
    if config.getoption("--long"):
        return
    long_forms = [item for item in items if item.get_closest_marker("long")]
    if long_forms:
        config.hook.pytest_deselected(items=long_forms)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    shown, still_open = counts(load_manifest())
    terminalreporter.write_line(f"requirements: {shown} shown, {still_open} open")
    for reason in config.stash[NOT_RUN]:
        terminalreporter.write_line(f"could not run: {reason}", yellow=True)


@pytest.fixture
def could_not_run(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell the summary what this machine could not show; for what a platform lacks, never for what fails."""
    return lambda reason: request.config.stash[NOT_RUN].append(f"{request.node.nodeid}: {reason}")


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No flag of the developer reaches a test, and no test reaches the developer's witness; children inherit it."""
    for name in list(os.environ):
        if name.startswith(("CONTROL_PLANE_", "OPENCODE_")):
            monkeypatch.delenv(name)
    state = tmp_path_factory.mktemp("state", numbered=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("CONTROL_PLANE_WITNESS", str(state / "witness"))
    return state / "witness"

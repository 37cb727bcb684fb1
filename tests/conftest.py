"""What every test gets: a witness of its own, a clean environment, and an honest summary at the end."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.test_requirements import counts, load_manifest

NOT_RUN, LONG = pytest.StashKey[list[str]](), pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long forms too, as `make prove` does")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN], config.stash[LONG] = [], 0
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Workers())
    if hasattr(os, "register_at_fork"):
        # Another thread may have held the tracer's lock at that moment; in the child nobody would ever release it.
        os.register_at_fork(after_in_child=trace_nothing)


def trace_nothing() -> None:
    """No coverage in this thread and in those that it starts from here on."""
    threading.settrace(None)
    sys.settrace(None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out; the summary counts them."""
    if config.getoption("--long"):
        return
    long_forms = [item for item in items if item.get_closest_marker("long")]
    if long_forms:
        config.hook.pytest_deselected(items=long_forms)
        config.stash[LONG] = len(long_forms)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several workers tells the one who speaks for all."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash[NOT_RUN]
        session.config.workeroutput["long"] = session.config.stash[LONG]


class Workers:
    """Listens to them; there only when there are some."""

    @staticmethod
    def pytest_testnodedown(node: Any) -> None:
        told, stash = getattr(node, "workeroutput", {}), node.config.stash
        stash[NOT_RUN].extend(told.get("not_run", []))
        # Each has collected all of them.
        stash[LONG] = max(stash[LONG], told.get("long", 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    shown, still_open = counts(load_manifest())
    terminalreporter.write_line(f"requirements: {shown} shown, {still_open} open")
    if config.stash[LONG]:
        terminalreporter.write_line(f"left to make prove: {config.stash[LONG]} long forms")
    for reason in config.stash[NOT_RUN]:
        terminalreporter.write_line(f"could not run: {reason}", yellow=True)


@pytest.fixture
def could_not_run(request: pytest.FixtureRequest) -> Callable[[str], NoReturn]:
    """Ends a test that this machine cannot run, and counts it; for what a platform lacks, never for what fails."""

    def end(reason: str) -> NoReturn:
        request.config.stash[NOT_RUN].append(f"{request.node.nodeid}: {reason}")
        pytest.skip(f"could not run: {reason}")

    return end


@pytest.fixture
def untraced() -> Iterator[None]:
    """For what strikes between any two steps: it would strike coverage as well, while that holds its lock."""
    before, here = threading.gettrace(), sys.gettrace()
    trace_nothing()
    yield
    threading.settrace(before)
    sys.settrace(here)


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

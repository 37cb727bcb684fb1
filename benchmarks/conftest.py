"""Ledgers for the benchmarks: homes of their own, a witness of their own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

NOT_SHOWN = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_SHOWN] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason in config.stash[NOT_SHOWN]:
        terminalreporter.write_line(f"could not be shown: {reason}", yellow=True)


@pytest.fixture
def could_not_show(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell the summary what this machine was too busy to show."""
    return lambda reason: request.config.stash[NOT_SHOWN].append(f"{request.node.nodeid}: {reason}")


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CONTROL_PLANE_", "OPENCODE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONTROL_PLANE_WITNESS", str(tmp_path / "witness"))

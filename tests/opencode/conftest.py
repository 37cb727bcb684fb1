"""The real OpenCode, pinned; where it cannot be obtained the run says so and counts what it could not show."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.opencode.world import A, Unobtainable, World, obtained

Made = World | Unobtainable
PRICES = {"input": 1, "output": 2, "cache_read": 0.1}

RULES = {
    "version": "1.0",
    "skills": {
        "secrets": {
            "type": "guardrail", "enforcement": "block", "priority": "critical", "description": "secrets stay",
            "fileTriggers": {"pathPatterns": ["secret/**"]},
            "blockMessage": "Do not write {file_path}: secrets are kept elsewhere.",
        },
        "care": {
            "type": "guardrail", "enforcement": "warn", "priority": "high", "description": "handle with care",
            "fileTriggers": {"pathPatterns": ["care/**"]},
        },
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def binary() -> str | Unobtainable:
    return obtained()


@pytest.fixture(scope="session")
def auto_world(binary: str | Unobtainable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Auto is on, with fake-a as the incumbent; an agent pins fake-b."""
    if isinstance(binary, Unobtainable):
        yield binary
        return
    agents = {
        "pinned": {"mode": "primary", "model": "fake/fake-b", "prompt": "You are pinned.", "description": "pinned"},
        "helper": {"mode": "subagent", "prompt": "You help.", "description": "helps"},
    }
    world = World(binary, tmp_path_factory.mktemp("auto"), cost=PRICES, agent=agents)
    world.rules(RULES)
    try:
        # A busy machine may be late; what a turn waits by default is measured elsewhere.
        world.install("--wait-ms", "5000", "--unchecked")
        world.cli("opencode", "auto", "on", "--incumbent", A)
        world.serve()
        world.start()
        world.ready()
        yield world
    finally:
        world.close()


@pytest.fixture
def auto(auto_world: Made, could_not_run: Callable[[str], NoReturn]) -> World:
    if isinstance(auto_world, Unobtainable):
        could_not_run(str(auto_world))
    return auto_world


@pytest.fixture
def bare(binary: str | Unobtainable, tmp_path: Path, could_not_run: Callable[[str], NoReturn]) -> Iterator[World]:
    """A world where nothing is installed yet."""
    if isinstance(binary, Unobtainable):
        could_not_run(str(binary))
    world = World(binary, tmp_path, cost=PRICES)
    try:
        yield world
    finally:
        world.close()

"""The pinned OpenCode, as tests/opencode obtains it, and a repository of its own for each test."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.dogfood.ground import Ground
from tests.opencode.world import Unobtainable, obtained


@pytest.fixture(scope="session")
def binary() -> str | Unobtainable:
    return obtained()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """Without an OpenCode."""
    return Ground(tmp_path)


@pytest.fixture
def real(binary: str | Unobtainable, tmp_path: Path, could_not_run: Callable[[str], NoReturn]) -> Ground:
    """With the real one."""
    if isinstance(binary, Unobtainable):
        could_not_run(str(binary))
    return Ground(tmp_path, binary)

"""Bars with their negative twins: a check that a stub can pass, or that misses a planted fault, is no check.

A bar is a check (a plain function that raises AssertionError) and three kinds of subjects for it: the real thing
passes, a null implementation fails, and each planted fault fails. Bars stand in `tests/bars/bars_*.py`, in a list
called BARS; the tests use the same checks.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
# Makes a subject in a folder of its own; what has a `close` is closed after its check.
Subject = Callable[[Path], Any]


class Bar(NamedTuple):
    check: Callable[[Any], None]
    real: Subject
    null: Subject
    planted: Mapping[str, Subject]

    @property
    def name(self) -> str:
        return self.check.__name__.removeprefix("check_")


def load_bars() -> list[Bar]:
    modules = [importlib.import_module(f"tests.bars.{path.stem}") for path in sorted(FOLDER.glob("bars_*.py"))]
    return [bar for module in modules for bar in module.BARS]

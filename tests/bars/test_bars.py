"""Every bar holds for the real thing, and for nothing less."""

import contextlib
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bars.frame import Bar, Subject, load_bars

ALL = load_bars()
FAULTS = [
    pytest.param(bar, subject, id=f"{bar.name}-{name}")
    for bar in ALL
    for name, subject in {"null": bar.null, **bar.planted}.items()
]


@contextlib.contextmanager
def standing(subject: Subject, folder: Path) -> Iterator[Any]:
    made = subject(folder)
    try:
        yield made
    finally:
        getattr(made, "close", lambda: None)()


@pytest.mark.parametrize("bar", ALL, ids=lambda bar: bar.name)
def test_the_real_thing_passes(bar: Bar, tmp_path: Path) -> None:
    with standing(bar.real, tmp_path) as real:
        bar.check(real)


@pytest.mark.requirement("LEDGER-141", "LEDGER-142", "TEST-OUT-3")
@pytest.mark.parametrize(("bar", "subject"), FAULTS)
def test_less_than_the_real_thing_fails(bar: Bar, subject: Subject, tmp_path: Path) -> None:
    with standing(subject, tmp_path) as less, pytest.raises(AssertionError):
        bar.check(less)


@pytest.mark.requirement("LEDGER-141", "LEDGER-142")
def test_every_check_of_a_module_with_bars_has_a_bar_and_a_planted_fault() -> None:
    checks = [bar.check for bar in ALL]
    assert all(bar.planted for bar in ALL)
    assert len({check.__name__ for check in checks}) == len(checks)
    for module in {importlib.import_module(check.__module__) for check in checks}:
        own = {
            function
            for name, function in inspect.getmembers(module, inspect.isfunction)
            if name.startswith("check_") and function.__module__ == module.__name__
        }
        assert own <= set(checks), f"{module.__name__} has checks without twins"


def test_a_check_that_a_stub_can_pass_is_noticed(tmp_path: Path) -> None:
    bar = Bar(check=lambda subject: None, real=lambda _: 1, null=lambda _: None, planted={"fault": lambda _: 0})
    for subject in (bar.null, *bar.planted.values()):
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            test_less_than_the_real_thing_fails(bar, subject, tmp_path)

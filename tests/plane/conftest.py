from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane
from control_plane.clock import Clock

ARMS = (
    Arm("acme/strong", prior=0.7, price_in=3.0, price_out=15.0, tools=("bash", "web"), strengths=("python",)),
    Arm("acme/cheap", prior=0.5, price_in=0.2, price_out=0.8, tools=("bash",), context=50_000),
    Arm("other/middle", prior=0.6, price_in=1.0, price_out=4.0, tools=("bash",), fallback="acme/strong"),
    Arm.cascade("cheap-then-strong", [("acme/cheap", "tests"), ("acme/strong", None)], prior=0.65),
)


class Hand(Clock):
    """A clock whose wall time is set by hand; waiting is real, for it is the committer's."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def open_plane(tmp_path: Path, clock: Hand) -> Iterator[Callable[..., ControlPlane]]:
    """Open a plane in the test's home, as often as wanted; all are closed at the end."""
    with ExitStack() as stack:

        def opened(**options) -> ControlPlane:
            options = {"catalogue": ARMS, "clock": clock, "background": False} | options
            return stack.enter_context(ControlPlane.open(tmp_path / "home", **options))

        yield opened


@pytest.fixture
def plane(open_plane) -> ControlPlane:
    return open_plane()

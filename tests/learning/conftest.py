from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane
from control_plane.proving import HandClock, flags
from control_plane.proving.forging import Forge

Open = Callable[..., ControlPlane]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def forge(clock: HandClock) -> Forge:
    return Forge(4, clock.now())


@pytest.fixture
def open_plane(tmp_path: Path, clock: HandClock) -> Iterator[Open]:
    """Open a plane in the test's home under a signing mode, as often as wanted; all are closed at the end."""
    with ExitStack() as stack:

        def opened(mode: str = "require-valid-signature", **told: str) -> ControlPlane:
            return stack.enter_context(
                ControlPlane.open(
                    tmp_path / "home",
                    catalogue=[Arm("acme/one"), Arm("acme/two")],
                    clock=clock,
                    background=False,
                    flags=flags(OPENCODE_LEARNING_SIGNING_MODE=mode, **told),
                )
            )

        yield opened


def admit(plane: ControlPlane, forge: Forge) -> ControlPlane:
    """The forge's agents: two who may sign, and one who may no more."""
    for name in ("honest", "second", "fallen"):
        key = getattr(forge, name)
        plane.learning.admit(name, key.public_key().public_bytes_raw())
    plane.learning.revoke("fallen", "stolen")
    return plane


@pytest.fixture
def plane(open_plane: Open, forge: Forge) -> ControlPlane:
    return admit(open_plane(), forge)

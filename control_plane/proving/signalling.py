"""A signal that advice has to reflect: an arm fails three times in a row, and the next advice leaves it."""

import time

from control_plane import Arm, ControlPlane, Task

SPARE = "spare"


def catalogue(signals: int) -> list[Arm]:
    """One arm for each signal, and one that is never ill."""
    return [Arm(SPARE, prior=0.4), *(Arm(f"arm-{number}", prior=0.9) for number in range(signals))]


def asks(number: int) -> Task:
    return Task(type="code.fix", candidates=(f"arm-{number}", SPARE))


def fail(plane: ControlPlane, number: int) -> float:
    """The signal; answers when its last fault was recorded."""
    for _ in range(3):
        plane.record_result(arm=f"arm-{number}", task=Task(type="code.fix"), error="server", latency_ms=50.0)
    return time.monotonic()


def reflects(plane: ControlPlane, number: int) -> bool:
    return any(warning.startswith(f"arm-{number}: cooled") for warning in plane.advise(asks(number)).warnings)

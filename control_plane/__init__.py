"""A control plane for coding agents: every decision a signed event, provable, repeatable, explainable, undoable."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ControlPlaneError
from .version import __version__

if TYPE_CHECKING:
    from .plane import ControlPlane
    from .router.terms import Advice, Arm, Policy, Task

_HOMES = {
    "Advice": ".router.terms",
    "Arm": ".router.terms",
    "ControlPlane": ".plane",
    "Policy": ".router.terms",
    "Task": ".router.terms",
}

__all__ = ["Advice", "Arm", "ControlPlane", "ControlPlaneError", "Policy", "Task", "__version__"]


def __getattr__(name: str) -> Any:
    # What a command does not use, it does not pay for.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""From `--home` to the guardrails of an open plane."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .command import argument

if TYPE_CHECKING:
    from ..guardrails.service import Guard

ACTOR = argument("--actor", default="", metavar="NAME", help="who says so (default: the user of this system)")


@contextlib.contextmanager
def guarding(arguments: argparse.Namespace) -> "Iterator[Guard]":
    from ..plane import ControlPlane

    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir, background=False) as plane:
        yield plane.guard


@contextlib.contextmanager
def looking_on_guard(arguments: argparse.Namespace) -> "Iterator[Guard]":
    """For what needs decisions that were made before."""
    from .planes import looking

    with looking(arguments) as plane:
        yield plane.guard


def actor_of(arguments: argparse.Namespace) -> str:
    """A name for the signed event; a system without one is no reason to fail."""
    import getpass

    try:
        return getattr(arguments, "actor", None) or getpass.getuser()
    except (OSError, KeyError):
        return "somebody"

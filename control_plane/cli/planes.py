"""From `--home` to an open plane, for commands that decide or record and end at once."""

import argparse
import contextlib
from collections.abc import Iterator

from ..assembly import fold
from ..clock import Clock
from ..governance.projection import POLICIES
from ..ledger.home import Home
from ..ledger.opening import Opened, create_home
from ..plane import ControlPlane
from ..rooms import CATALOGUE
from ..router.catalogue import EXAMPLE
from ..router.decision_id import FOREIGN, UnknownDecision
from .homes import existing_home, named_home
from .printing import Output


def made(home: Home) -> None:
    """The home is there, without a plane being opened on it."""
    create_home(home, CATALOGUE, Clock())


@contextlib.contextmanager
def deciding(arguments: argparse.Namespace) -> Iterator[ControlPlane]:
    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir, background=False) as plane:
        try:
            yield plane
        except UnknownDecision as fault:
            if fault.why != FOREIGN:
                raise
            why = f"{fault.why}; this one is {named_home(arguments).root}"
            raise UnknownDecision(fault.what, why=why, cure=fault.cure) from None


@contextlib.contextmanager
def looking(arguments: argparse.Namespace) -> Iterator[ControlPlane]:
    """For what needs a history: a home whose name was mistyped is refused, not made."""
    existing_home(arguments)
    with deciding(arguments) as plane:
        yield plane


@contextlib.contextmanager
def choosing(arguments: argparse.Namespace, out: Output) -> Iterator[ControlPlane]:
    """Where the arms matter, it is said that they are only an example."""
    with deciding(arguments) as plane:
        if plane.example:
            out.say(f"note: {EXAMPLE}")
        yield plane


def flips_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The flips that this home's log holds; nothing is written."""
    with contextlib.closing(Opened(named_home(arguments), CATALOGUE, Clock(), signing=False)) as opened:
        folder, _ = fold(opened)
        return folder.state(POLICIES).flips

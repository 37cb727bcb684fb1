"""From `--home` to an opened ledger, for commands."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..clock import Clock
from ..errors import ControlPlaneError, HomeUnusable
from ..ledger import facts
from ..ledger.events import Catalogue
from ..ledger.home import Home, home_of
from ..ledger.opening import Opened
from ..naming import check_name
from .faults import warn
from .printing import Output

CATALOGUE = Catalogue(facts.EVENTS)


def named_home(arguments: argparse.Namespace) -> Home:
    check_name(arguments.home or os.environ.get("CONTROL_PLANE_HOME"))
    return home_of(arguments.home, arguments.state_dir)


def existing_home(arguments: argparse.Namespace) -> Home:
    """The home that was named, which must be there; where none was named, it is said how to begin."""
    home = named_home(arguments)
    if home.exists() or arguments.home or os.environ.get("CONTROL_PLANE_HOME"):
        home.identity()
        return home
    raise HomeUnusable(f"nothing is recorded in {home.root} yet: `control-plane advise --task-type code.fix` begins")


def home_if_any(arguments: argparse.Namespace) -> Home | None:
    """None where no home was named and none was made: what does without one then does."""
    if arguments.home or os.environ.get("CONTROL_PLANE_HOME") or named_home(arguments).exists():
        return existing_home(arguments)
    return None


@contextlib.contextmanager
def reading(arguments: argparse.Namespace) -> Iterator[Opened]:
    """Opened without the private key: an auditor has none."""
    with contextlib.closing(Opened(named_home(arguments), CATALOGUE, Clock(), signing=False)) as opened:
        yield opened


def recovered(opened: Opened, out: Output) -> None:
    """Commit what writers that are gone left behind; where that is impossible, say so and go on with what there is."""
    if not waiting_journals(opened.home):
        return
    try:
        events = opened.recover()
    except ControlPlaneError as fault:
        warn("journals of writers that are gone could not be committed", fault, out)
    else:
        if events:
            out.say(f"{events:,} events of writers that are gone were committed first")


def waiting_journals(home: Home) -> list[Path]:
    return sorted(home.journal.iterdir()) if home.journal.is_dir() else []

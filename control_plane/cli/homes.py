"""From `--home` to an opened ledger, for commands."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..clock import Clock
from ..errors import ControlPlaneError
from ..ledger import facts
from ..ledger.events import Catalogue
from ..ledger.home import Home, home_of
from ..ledger.opening import Opened
from .faults import warn
from .printing import Output

CATALOGUE = Catalogue(facts.EVENTS)


def named_home(arguments: argparse.Namespace) -> Home:
    return home_of(arguments.home, arguments.state_dir)


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

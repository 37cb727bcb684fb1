"""The turns that a home's log holds, for commands that only look."""

import argparse
import contextlib

from ..assembly import fold
from ..clock import Clock
from ..ledger.events import Event
from ..ledger.opening import Opened
from ..projections.folding import CHUNK
from ..rooms import CATALOGUE
from ..turns.projection import TURNS
from ..turns.state import Turns
from .homes import existing_home

TOPICS = "turns."


def turns_of(arguments: argparse.Namespace) -> Turns:
    """Nothing is written."""
    with contextlib.closing(Opened(existing_home(arguments), CATALOGUE, Clock(), signing=False)) as opened:
        folder, _ = fold(opened)
        return folder.state(TURNS)


def turn_events(arguments: argparse.Namespace) -> list[Event]:
    """Every event of a turn in the log, in its order."""
    found = list[Event]()
    with contextlib.closing(Opened(existing_home(arguments), CATALOGUE, Clock(), signing=False)) as opened:
        after = 0
        while rows := opened.backend.rows(after, CHUNK):
            after = rows[-1][0]
            found += [CATALOGUE.decode(topic, state) for _, _, _, topic, state in rows if topic.startswith(TOPICS)]
    return found

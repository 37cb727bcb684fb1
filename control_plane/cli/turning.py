"""The turns that a home's log holds, for commands that only look."""

import argparse
import contextlib

from ..assembly import fold
from ..clock import Clock
from ..ledger.opening import Opened
from ..rooms import CATALOGUE
from ..turns.projection import TURNS
from ..turns.state import Turns
from .homes import named_home


def turns_of(arguments: argparse.Namespace) -> Turns:
    """Nothing is written."""
    with contextlib.closing(Opened(named_home(arguments), CATALOGUE, Clock(), signing=False)) as opened:
        folder, _ = fold(opened)
        return folder.state(TURNS)

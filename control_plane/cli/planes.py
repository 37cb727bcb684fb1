"""From `--home` to an open plane, for commands that decide or record and end at once."""

import argparse
import contextlib
from collections.abc import Iterator

from ..plane import ControlPlane
from ..router.catalogue import EXAMPLE
from .printing import Output


@contextlib.contextmanager
def deciding(arguments: argparse.Namespace, out: Output) -> Iterator[ControlPlane]:
    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir, background=False) as plane:
        if plane.example:
            out.say(f"note: {EXAMPLE}")
        yield plane

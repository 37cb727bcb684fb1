"""`flags` shows what this environment asks for, where each value comes from, and what it rolls back."""

import argparse
import os
from typing import Any

from ...errors import ControlPlaneError
from ..command import argument, command
from ..printing import Output, pairs, table


@command("flags list", "every flag with its value and where that comes from", "control-plane flags list")
def flags_list(arguments: argparse.Namespace, out: Output) -> int:
    from ...flags.reading import FIELDS, explain

    flips = _flips(arguments, out)
    found = [explain(name, os.environ, flips) for name in FIELDS]
    rows = [(flag.name, flag.value, flag.source, flag.item or "–") for flag in found]
    out.answer([flag._asdict() for flag in found], table(("flag", "value", "from", "item"), rows))
    return 0


@command(
    "flags explain",
    "what one flag means, what it rolls back, and what it is now",
    "control-plane flags explain OPENCODE_SIM_GATE",
    arguments=(argument("name", metavar="NAME", help="the flag, as in flags.env.example"),),
)
def flags_explain(arguments: argparse.Namespace, out: Output) -> int:
    from ...flags import explain

    facts: dict[str, Any] = explain(arguments.name, os.environ, _flips(arguments, out))._asdict()
    out.answer(facts, pairs([(name.replace("_", " "), str(value)) for name, value in facts.items() if value != ""]))
    return 0


def _flips(arguments: argparse.Namespace, out: Output) -> dict[str, str]:
    """The flips that the home holds, when there is one that can be read."""
    from ..faults import warn
    from ..homes import home_if_any

    if home_if_any(arguments) is None:
        return {}
    try:
        from ..planes import flips_of

        return flips_of(arguments)
    except ControlPlaneError as fault:
        warn("flips could not be read", fault, out)
        return {}

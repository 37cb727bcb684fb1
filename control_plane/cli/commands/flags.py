"""`flags` shows what this environment asks for, where each value comes from, and what it rolls back."""

import argparse
import os
from typing import Any

from ..command import argument, command
from ..printing import Output, pairs, table


@command("flags list", "every flag with its value and where that comes from", "control-plane flags list")
def flags_list(_: argparse.Namespace, out: Output) -> int:
    from ...flags.reading import FIELDS, explain

    found = [explain(name, os.environ, {}) for name in FIELDS]
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

    facts: dict[str, Any] = explain(arguments.name, os.environ, {})._asdict()
    out.answer(facts, pairs([(name.replace("_", " "), str(value)) for name, value in facts.items() if value != ""]))
    return 0

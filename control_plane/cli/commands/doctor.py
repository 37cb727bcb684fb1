"""`doctor` says what is missing or wrong, and how to mend it."""

import argparse

from ..command import command
from ..faults import CHECK_FAILED
from ..printing import Output, paint, table

_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@command("doctor", "what is missing or wrong here, and how to mend it; changes nothing", "control-plane doctor")
def doctor(arguments: argparse.Namespace, out: Output) -> int:
    from ..ailments import examine

    found = examine(arguments)
    rows = [(one.what, one.state, one.seen, one.cure) for one in found]
    lines = table(("", "", "seen", "mend"), rows, whole=True)
    told = [lines[0], *(_painted(line, one.state) for line, one in zip(lines[1:], found, strict=True))]
    healthy = all(one.state != "wrong" for one in found)
    out.answer({"healthy": healthy, "findings": [one._asdict() for one in found]}, told)
    return 0 if healthy else CHECK_FAILED


def _painted(line: str, state: str) -> str:
    return line.replace(f" {state} ", f" {paint(state, _COLOURS[state])} ", 1)

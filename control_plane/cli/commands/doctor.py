"""`doctor` says what is missing or wrong, and how to mend it."""

import argparse
from typing import TYPE_CHECKING

from ..command import command
from ..faults import CHECK_FAILED
from ..printing import Output, hanging, paint

if TYPE_CHECKING:
    from ..home_ailments import Finding

_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@command("doctor", "what is missing or wrong here, and how to mend it; changes nothing", "control-plane doctor")
def doctor(arguments: argparse.Namespace, out: Output) -> int:
    from ..ailments import examine

    found = examine(arguments)
    width = max(len(one.what) for one in found)
    told = [line for one in found for line in _lines(one, width)]
    healthy = all(one.state != "wrong" for one in found)
    out.answer({"healthy": healthy, "findings": [one._asdict() for one in found]}, told)
    return 0 if healthy else CHECK_FAILED


def _lines(one: "Finding", width: int) -> list[str]:
    """What was seen, and below it how to mend it."""
    head = f"{one.what:<{width}}  {one.state:<5}  "
    first, *more = hanging(head, one.seen)
    cure = hanging(f"{' ' * len(head)}→ ", one.cure) if one.cure else []
    return [first.replace(f" {one.state} ", f" {paint(one.state, _COLOURS[one.state])} ", 1), *more, *cure]

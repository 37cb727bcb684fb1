"""`cadence list` shows every recurring piece of work with its owner."""

import argparse
from typing import Any

from ..command import command
from ..printing import Output, table


@command("cadence list", "every poll and timer of a plane, with its owner", "control-plane cadence list")
def cadence_list(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        polls: list[dict[str, Any]] = [msgspec.to_builtins(entry) for entry in plane.cadence()]
    rows = [
        (poll["name"], poll["owner"], f"{poll['interval']:g}", f"{poll['phase']:.3f}", f"{poll['jitter']:.0%}")
        for poll in polls
    ]
    out.answer(polls, table(("poll", "owner", "every s", "phase s", "jitter"), rows, right=(2, 3, 4)))
    return 0

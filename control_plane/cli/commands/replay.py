"""`replay` decides every recorded decision again, from the log alone, and notes in the log how many agreed."""

import argparse

from ..command import argument, command
from ..printing import Output


@command(
    "replay",
    "decide every recorded decision again, compare, and record the share that agrees as an event",
    "control-plane replay",
    arguments=(
        argument("--from", dest="since", type=int, default=1, metavar="N", help="the first position"),
        argument("--to", dest="until", type=int, metavar="N", help="the last position"),
    ),
)
def replay(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        found = plane.replay(arguments.since, arguments.until)
    facts = {
        "decisions": found.decisions,
        "matched": found.matched,
        "parity": found.parity,
        "mismatches": [
            {"position": one.position, "decision": one.decision, "recorded": one.recorded, "replayed": one.replayed}
            for one in found.mismatches
        ],
    }
    if not found.decisions:
        out.answer(facts, ["there is nothing to repeat: no decision stands there yet"])
        return 0
    lines = [f"{found.matched:,} of {found.decisions:,} decisions repeat to the same path: {found.parity:.2%}"]
    lines += [f"  position {one.position:,}: {one.decision}" for one in found.mismatches]
    out.answer(facts, lines)
    return 0 if found.matched == found.decisions else 1

"""`baseline` notes how things are before anything is changed."""

import argparse
from pathlib import Path

from ..command import argument, command
from ..printing import Output


@command(
    "baseline",
    "how quick decisions are, how policy updates fared, in which states plugins are; kept as evidence",
    "control-plane baseline --decisions 100",
    arguments=(
        argument(
            "--decisions", type=int, default=1000, metavar="N", help="decisions to be timed, in a home of their own"
        ),
        argument("--metrics", type=Path, default=Path(".opencode") / "metrics", metavar="DIR", help="where it is kept"),
    ),
)
def baseline(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...errors import BadInput
    from ...evidence import make_folder
    from ...proving import keep, told
    from ...proving.baseline import ITEM, baseline
    from ..homes import home_if_any

    if arguments.decisions < 1:
        raise BadInput(f"--decisions is {arguments.decisions}", why="it must be at least 1")
    make_folder(arguments.metrics)
    home = home_if_any(arguments)
    found = baseline(arguments.decisions, Path.cwd(), home)
    path, evidence = keep(ITEM, "control-plane baseline", found, arguments.metrics)
    out.answer(msgspec.to_builtins(evidence), [*told(evidence).splitlines(), f"evidence: {path}"])
    return 0 if evidence.green else 1

"""`import` takes in what happened before there was a control plane."""

import argparse
import os
from pathlib import Path

from ..command import argument, command
from ..printing import Output, pairs


@command(
    "import opencode",
    "read OpenCode's own history, read-only: models, tokens, cost, latency; no text, no assumed success",
    "control-plane import opencode",
    arguments=(argument("--database", metavar="FILE", help="OpenCode's opencode.db; by default this user's"),),
)
def import_opencode(arguments: argparse.Namespace, out: Output) -> int:
    from ...opencode.history import database_of, past_steps
    from ..planes import deciding

    path = Path(arguments.database) if arguments.database else database_of(os.environ)
    if not arguments.database and not path.exists():
        out.answer({"database": str(path), "answers": 0, "new": 0}, [f"there is no history at {path} yet"])
        return 0
    steps = past_steps(path)
    with deciding(arguments) as plane:
        taken = plane.turns.remember(str(path.resolve()), steps)
    spent = sum(step.usage.cost_usd for step in steps)
    sessions = len({step.session for step in steps})
    facts = {
        "database": str(path), "answers": len(steps), "new": taken, "sessions": sessions, "cost_usd": spent,
        "models": sorted({step.model for step in steps}),
    }  # fmt: skip
    rows = [
        ("history", f"{path}  {len(steps):,} answers in {sessions:,} sessions, ${spent:.2f}"),
        ("taken in", f"{taken:,} that were not known; nothing is assumed of their success"),
        ("next", "control-plane report --since 30d"),
    ]
    out.answer(facts, pairs(rows))
    return 0

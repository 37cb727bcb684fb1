"""`explain` decides once more what was decided, and says why it came out so."""

import argparse
from typing import Any

from ..command import argument, command
from ..printing import Output, pairs, table

_MOST = 10


@command(
    "explain",
    "why a decision came out as it did, and what would have changed it",
    "control-plane explain $DECISION",
    "control-plane explain last",
    arguments=(argument("decision", metavar="ID", help="the decision, as `advise` printed it, or last"),),
)
def explain(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        facts: dict[str, Any] = msgspec.to_builtins(plane.explain(arguments.decision))
    out.answer(facts, _lines(facts))
    return 0 if facts["repeated"] else 1


def _lines(facts: dict[str, Any]) -> list[str]:
    shown = facts["contenders"][:_MOST]
    heads = ("  arm", "success", "runs", "worth $", "cost $", "tail, fit $", "score $", "chance")
    more = len(facts["contenders"]) - _MOST
    return [
        *table(heads, [_row(row, facts["arm"]) for row in shown], right=range(1, 8)),
        *([f"  … and {more} more"] if more > 0 else []),
        "",
        *pairs(_told(facts, shown)),
    ]


def _row(row: dict[str, Any], chosen: str) -> tuple[str, ...]:
    from ...router.entries import percent

    return (
        ("→ " if row["arm"] == chosen else "  ") + row["arm"],
        f"{row['success']:.2f} ±{row['error']:.2f}",
        f"{row['runs']:.0f}" if row["runs"] >= 0.5 else "prior",
        f"{row['value']:.3f}",
        f"−{row['cost']:.4f}{'?' if row['guessed'] else ''}",
        f"{row['adjustment']:+.3f}",
        f"{row['score']:.3f}",
        percent(row["chance"]),
    )


def _told(facts: dict[str, Any], shown: list[dict[str, Any]]) -> list[tuple[str, str]]:
    told = [("why", " · ".join(facts["reasons"]))]
    guessed = [row for row in shown if row["guessed"]]
    told += [("guessed", f"{row['arm']}: price unknown, taken as ${row['cost']:.3g}") for row in guessed]
    told += [("limit", said) for said in facts["unmet"]]
    if facts["flip"]:
        told.append(("flip", f"{facts['flip']['arm']} {facts['flip']['change']}"))
    told += [("left out", f"{name}: {reason}") for name, reason in facts["filtered"]]
    told += [("bypassed", name) for name in facts["bypassed"]]
    return [
        *told,
        ("strategy", facts["strategy"]),
        ("repeated", "yes, to the same path" if facts["repeated"] else "NO: the log leads elsewhere today"),
        ("proof", f"position {facts['position']:,}, decided at {facts['ledger_position']:,}, seed {facts['seed']}"),
        ("policy", facts["policy_hash"]),
        ("path", facts["path_hash"]),
    ]

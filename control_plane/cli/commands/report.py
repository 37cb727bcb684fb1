"""`report` says what was spent, how well it went where that is known, and what auto would have spent."""

import argparse
from typing import TYPE_CHECKING, Any

from ...durations import seconds_of
from ..command import argument, command
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...turns.report import Report


@command(
    "report",
    "what OpenCode spent, how well it went where that is known, and what auto would have spent",
    "control-plane report --since 7d",
    arguments=(argument("--since", default="7d", metavar="TIME", help="12h, 7d or 4w; 7d"),),
)
def report(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...clock import Clock
    from ...turns.report import report as told
    from ..turning import turn_events

    now = Clock().now()
    found = told(turn_events(arguments), now - seconds_of(arguments.since), now)
    facts: dict[str, Any] = msgspec.to_builtins(found)
    out.answer(facts, _lines(found, arguments.since))
    return 0


def _lines(found: "Report", since: str) -> list[str]:
    rows = [
        ("spent", f"${found.spent_usd:.2f} and {found.requests:,} requests on subscriptions in {since}"),
        ("turns", f"{found.turns:,}: {found.auto_turns:,} under auto, {found.imported_turns:,} imported"),
        ("success", _success(found)),
        ("auto", _auto(found)),
    ]
    lines = pairs(rows)
    if found.models:
        cells = [
            (
                one.model,
                f"{one.turns:,}",
                f"${one.cost_usd:.2f}",
                f"{one.requests:,}",
                f"{one.won}/{one.won + one.lost}",
            )
            for one in found.models
        ]
        lines += ["", *table(("model", "turns", "cost", "requests", "good/known"), cells, right=(1, 2, 3, 4))]
    return lines


def _success(found: "Report") -> str:
    if found.success is None or found.success_low is None or found.success_high is None:
        return f"unknown of all {found.turns:,} turns; /good, /bad and stop checks say it"
    return (
        f"{found.success:.0%} ({found.success_low:.0%} to {found.success_high:.0%}) of the {found.known:,} turns"
        f" of which it is known; {found.reverted:,} reverted"
    )


def _auto(found: "Report") -> str:
    auto = found.auto
    if not auto.turns:
        return "not enough evidence: no turn was observed beside advice"
    size = f"{auto.covered:,} of {auto.turns:,} turns can be compared, effective sample size {auto.effective:.0f}"
    if not auto.enough:
        return f"not enough evidence: {size}"
    return (
        f"would have spent ${auto.auto_usd:.2f} (${auto.low_usd:.2f} to ${auto.high_usd:.2f}) where"
        f" ${auto.spent_usd:.2f} was spent; {size}"
    )

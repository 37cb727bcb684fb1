"""`review` shows what waits for a person, takes the person's decision, and reports how the rules did that ask."""

import argparse
from typing import Any

from ..command import argument, command
from ..printing import Output, pairs, table

_ACTOR = argument("--actor", metavar="NAME", help="who says so (default: the user)")
_FEEDBACK = ("true-positive", "false-positive", "false-negative")
_VERDICTS = (
    argument("--approve", dest="verdict", action="store_const", const="approved", help="it may go on"),
    argument("--reject", dest="verdict", action="store_const", const="rejected", help="it may not"),
)


@command(
    "review add",
    "let something wait for a person",
    "control-plane review add guard --evidence 'ledger position 4711'",
    arguments=(
        argument("kind", metavar="KIND", help="what kind of review, such as the rule that asks for it"),
        argument("--evidence", default="", metavar="REFERENCE", help="where the reviewer finds what it is about"),
        argument("--id", metavar="ID", help="its name (default: a new one)"),
    ),
)
def add(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import deciding

    with deciding(arguments) as plane:
        item = plane.review.add(arguments.kind, arguments.evidence, item=arguments.id)
    out.answer({"id": item, "status": "pending"}, [f"{item} waits for a review"])
    return 0


@command(
    "review list",
    "what waits, oldest first, and how old the queue is",
    "control-plane review list",
    "control-plane review list --status all --json",
    arguments=(
        argument("--status", default="pending", metavar="STATUS", help="pending, approved, rejected or all"),
        argument("--kind", metavar="KIND", help="only these"),
        argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)"),
    ),
)
def review_list(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        items = plane.review.items(arguments.status, kind=arguments.kind, limit=arguments.limit)
        facts: dict[str, Any] = msgspec.to_builtins(plane.review.status())
    facts["items"] = msgspec.to_builtins(items)
    out.answer(facts, _lines(facts))
    return 0


@command(
    "review resolve",
    "decide what waits; of two who do so at once, one is refused",
    "control-plane review resolve r-17 --approve --feedback false-positive",
    arguments=(
        argument("item", metavar="ID", help="as `review list` shows it"),
        *_VERDICTS,
        argument("--feedback", choices=_FEEDBACK, help="how the rule did that asked for the review"),
        argument("--note", default="", metavar="WORDS", help="kept in the signed event"),
        _ACTOR,
    ),
)
def resolve(arguments: argparse.Namespace, out: Output) -> int:
    from ...errors import BadInput
    from ..planes import looking

    if arguments.verdict is None:
        raise BadInput("a review is decided one way or the other", cure="add --approve or --reject")
    with looking(arguments) as plane:
        plane.review.resolve(
            arguments.item,
            arguments.verdict,
            actor=_actor(arguments),
            feedback=arguments.feedback,
            note=arguments.note,
        )
    out.answer(
        {"id": arguments.item, "status": arguments.verdict, "feedback": arguments.feedback},
        [f"{arguments.item} is {arguments.verdict}"],
    )
    return 0


@command(
    "review feedback",
    "say afterwards whether the rule that asked was right",
    "control-plane review feedback r-17 true-positive",
    arguments=(
        argument("item", metavar="ID", help="a review that was resolved in the last weeks"),
        argument("feedback", choices=_FEEDBACK, help="how the rule did"),
        _ACTOR,
    ),
)
def feedback(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        plane.review.feedback(arguments.item, arguments.feedback, actor=_actor(arguments))
    out.answer({"id": arguments.item, "feedback": arguments.feedback}, [f"{arguments.item}: {arguments.feedback}"])
    return 0


@command(
    "review report",
    "false positives and negatives of a week, Monday to Monday, as Markdown or JSON",
    "control-plane review report",
    "control-plane review report --weeks-ago 0 --json",
    arguments=(argument("--weeks-ago", type=int, default=1, metavar="N", help="0 to 4; 0 is the week so far"),),
)
def report(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...review.weekly import markdown
    from ..planes import looking

    with looking(arguments) as plane:
        found = plane.review.report(arguments.weeks_ago)
    out.answer(msgspec.to_builtins(found), markdown(found).splitlines())
    return 0


def _actor(arguments: argparse.Namespace) -> str:
    if arguments.actor is not None:
        return str(arguments.actor)
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _lines(facts: dict[str, Any]) -> list[str]:
    rows = [
        (
            item["id"],
            item["kind"],
            item["status"],
            f"{item['age_hours']:,.1f}",
            _when(item["created"]),
            item["evidence"],
        )
        for item in facts["items"]
    ]
    shown = table(("id", "kind", "status", "hours", "since", "evidence"), rows, right=(3,)) if rows else []
    slo, speed = facts["slo"], facts["throughput"]
    counted = ", ".join(f"{count:,} {status}" for status, count in facts["by_status"].items())
    ages = f"p50 {slo['p50_hours']:,.1f} h, p95 {slo['p95_hours']:,.1f} h, oldest {slo['max_hours']:,.1f} h"
    pace = (
        f"{speed['queued']:,} came, {speed['resolved']:,} resolved, {speed['on_time']:.0%} of {speed['due']:,} in time"
    )
    told = [
        ("reviews", f"{facts['total']:,} ({counted})"),
        ("age", f"{ages}; target {slo['target_hours']:g} h: {'met' if slo['pass'] else 'MISSED'}"),
        ("last 7 days", f"{pace}; target {speed['target']:.0%}: {'met' if speed['pass'] else 'MISSED'}"),
        *([] if facts["alerting"] else [("alerts", "off: OPENCODE_REVIEW_SLO=false")]),
    ]
    return [*shown, *([""] if shown else []), *pairs(told)]


def _when(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")

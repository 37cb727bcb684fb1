"""`memory` keeps what somebody asks to keep, finds it again, and says how well that goes."""

import argparse
from pathlib import Path
from typing import Any

from ..command import argument, command
from ..printing import Output, pairs, table


@command(
    "memory add",
    "keep a text for good: the log cannot forget, so keep no secret",
    "control-plane memory add 'The database tests need DATABASE_URL' --tag tests",
    arguments=(
        argument("text", metavar="TEXT", help="up to 4,000 characters; - reads it from stdin"),
        argument("--kind", default="note", metavar="KIND", help="what kind of thing it is (default: note)"),
        argument("--tag", action="append", default=[], metavar="TAG", help="what it is about; may be given again"),
        argument("--source", default="", metavar="REFERENCE", help="where it comes from"),
    ),
)
def add(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import deciding

    text = _stdin() if arguments.text == "-" else arguments.text
    with deciding(arguments) as plane:
        item = plane.memory.remember(text, kind=arguments.kind, tags=arguments.tag, source=arguments.source)
    out.answer({"id": item}, [f"{item} is remembered"])
    return 0


@command(
    "memory search",
    "what is remembered about something, the best fit first",
    "control-plane memory search 'why are the database tests skipped' -k 3",
    arguments=(
        argument("query", metavar="WORDS", help="plain words; no operators"),
        argument("-k", type=int, default=5, metavar="N", help="at most so many (default: 5)"),
        argument("--kind", metavar="KIND", help="only these"),
    ),
)
def search(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        found = plane.memory.search(arguments.query, arguments.k, kind=arguments.kind)
    rows = [(f"{one.score:.2f}", one.id, one.kind, " ".join(one.text.split())) for one in found]
    lines = table(("score", "id", "kind", "text"), rows, right=(0,)) if rows else ["nothing is remembered about that"]
    out.answer(msgspec.to_builtins(found), lines)
    return 0


@command(
    "memory forget",
    "find it no more; the log still holds it",
    "control-plane memory forget m-961c67a06a36e6944b3f --reason outdated",
    arguments=(
        argument("item", metavar="ID", help="as `memory search` shows it"),
        argument("--reason", default="", metavar="WORDS", help="kept in the signed event"),
    ),
)
def forget(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        plane.memory.forget(arguments.item, reason=arguments.reason)
    out.answer({"id": arguments.item}, [f"{arguments.item} is not found any more"])
    return 0


@command(
    "memory evaluate",
    "measure how well retrieval finds what it should; 1 when it does not pass",
    "control-plane memory evaluate",
    "control-plane memory evaluate --json",
    arguments=(argument("--benchmark", metavar="FILE", help="texts and queries of your own, as docs/memory.md says"),),
)
def evaluate(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...memory.measuring import read_benchmark
    from ..planes import deciding

    own = read_benchmark(Path(arguments.benchmark)) if arguments.benchmark else None
    with deciding(arguments) as plane:
        measured = plane.memory.evaluate(own)
    facts: dict[str, Any] = msgspec.to_builtins(measured)
    live = facts["live_hit_rate"]
    told = [
        ("retriever", facts["retriever"]),
        ("MAP@5", f"{facts['map_at_k']:.3f} (passes from 0.70, a warning from 0.50)"),
        ("grounded recall", f"{facts['grounded_recall']:.3f} (passes from 0.75, a warning from 0.60)"),
        ("hit rate@5", f"{facts['hit_rate']:.3f}"),
        ("live items found", "nothing is remembered yet" if live is None else f"{live:.0%} by their own words"),
        ("level", facts["level"]),
    ]
    out.answer(facts, pairs(told))
    return 0 if facts["level"] == "pass" else 1


def _stdin() -> str:
    import sys

    return sys.stdin.read()

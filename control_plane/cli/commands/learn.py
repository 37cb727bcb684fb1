"""`learn ingest` lets agents' records in; `learn status` shows what was let in and what was not."""

import argparse
from typing import Any

from ..command import argument, command
from ..printing import Output, pairs, table


@command(
    "learn ingest",
    "let signed learning records in, one JSON line each; 1 when any was rejected",
    "control-plane learn ingest records.jsonl",
    "control-plane learn ingest records.jsonl --json",
    arguments=(argument("file", metavar="FILE", help="the records, or - for standard input"),),
)
def ingest(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..files import content_of, filled_lines
    from ..planes import deciding

    lines = filled_lines(content_of(arguments.file))
    with deciding(arguments) as plane:
        done = plane.learning.ingest(lines)
    facts: dict[str, Any] = msgspec.to_builtins(done)
    told = [("accepted", f"{done.accepted:,}"), ("rejected", f"{done.rejected:,}")]
    out.answer(facts, pairs([*told, *((f"  {reason}", f"{count:,}") for reason, count in done.reasons.items())]))
    return 1 if done.rejected else 0


@command("learn status", "signing mode, counters of each rejection, patterns", "control-plane learn status")
def status(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        counts = plane.learning.counts()
    rows = [(reason, f"{count:,}") for reason, count in counts.reasons.items()]
    told = [
        ("signing mode", counts.mode),
        ("accepted", f"{counts.accepted:,} ({counts.unverified:,} of them not verified)"),
        ("rejected", f"{counts.rejected:,}"),
        ("keys in use", f"{counts.keys:,}"),
        ("patterns", f"{counts.patterns:,}"),
        *((f"too good: {verdict}", f"{count:,}") for verdict, count in sorted(counts.verdicts.items())),
    ]
    out.answer(msgspec.to_builtins(counts), [*pairs(told), "", *table(("rejected for", "count"), rows, right=(1,))])
    return 0


@command(
    "learn advice",
    "what was learned about a task type: risk, warnings, suggestions",
    "control-plane learn advice --task-type code.fix",
    arguments=(
        argument("--task-type", required=True, metavar="T", help="the kind of task"),
        argument("--repo", metavar="R", help="only what concerns this repository"),
        argument("--error-type", metavar="E", help="the error at hand"),
        argument("--tool", metavar="TOOL", help="the tool that is meant to be used"),
        argument("--attempt", type=int, default=1, metavar="N", help="which attempt this is"),
    ),
)
def advice(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        found = plane.learning.lesson(
            arguments.task_type,
            repo=arguments.repo,
            error_type=arguments.error_type,
            tool=arguments.tool,
            attempt=arguments.attempt,
        )
    facts = {
        "warnings": found.warnings,
        "suggestions": found.suggestions,
        "risk_score": found.risk_score,
        "should_pause": found.should_pause,
        "overrides": found.overrides,
        "arm_penalties": dict(found.arm_penalties),
    }
    told = [
        ("risk", f"{found.risk_score:.1f}" + (" – pause" if found.should_pause else "")),
        *(("warning", warning) for warning in found.warnings),
        *(("suggestion", suggestion) for suggestion in found.suggestions),
        *(("trust less", f"{arm}: −{share:.2f}") for arm, share in found.arm_penalties.items()),
    ]
    out.answer(facts, pairs(told))
    return 0


@command(
    "learn detect",
    "what the events of sessions show, as predicates for `learn sign`",
    "control-plane learn detect session.jsonl --task-type code.fix --trace-id trace-9",
    arguments=(
        argument("file", metavar="FILE", help="the events, one JSON line each, or - for standard input"),
        argument("--task-type", required=True, metavar="T", help="the kind of task that it was"),
        argument("--trace-id", required=True, metavar="ID", help="the trace that the events belong to"),
    ),
)
def detect(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...errors import BadInput
    from ...learning.signals import Happened
    from ...learning.signals import detect as detected
    from ..files import content_of, filled_lines

    decode = msgspec.json.Decoder(Happened).decode
    try:
        events = [decode(line) for line in filled_lines(content_of(arguments.file))]
    except msgspec.DecodeError as fault:
        raise BadInput("an event of a session cannot be read", why=str(fault)) from None
    for number, signal in enumerate(detected(events), 1):
        predicate = signal.predicate(arguments.task_type, f"{arguments.trace_id}.{number}")
        out.bytes(msgspec.json.encode(predicate) + b"\n")
    return 0


@command(
    "learn pin",
    "make a pattern a rule of the house, which does not fade",
    "control-plane learn pin type_suppression --task-type code.fix --actor ann",
    arguments=(
        argument("pattern", metavar="PATTERN", help="its name, as in `wrong_tool`"),
        argument("--task-type", required=True, metavar="T", help="the kind of task that it concerns"),
        argument("--actor", required=True, metavar="WHO", help="who says so; kept in the signed event"),
        argument("--undo", action="store_true", help="let it fade again"),
    ),
)
def pin(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    core = not arguments.undo
    with looking(arguments) as plane:
        plane.learning.pin(arguments.task_type, arguments.pattern, actor=arguments.actor, core=core)
    facts = {"task_type": arguments.task_type, "pattern": arguments.pattern, "core": core}
    out.answer(facts, [f"{arguments.pattern} in {arguments.task_type} {'does not fade' if core else 'fades again'}"])
    return 0

"""`advise` says which arm takes a task, and why."""

import argparse
from typing import Any

from ..command import argument, command
from ..printing import Output, paint, pairs

_TASK = (
    argument("--task-type", required=True, metavar="TYPE", help="what kind of task it is, as in code.fix"),
    argument("--repo", help="the repository it is in"),
    argument("--session", help="the session it belongs to: the choice stays with the session's arm"),
    argument("--attempt", type=int, default=1, metavar="N", help="which attempt this is"),
    argument("--tokens-in", type=int, metavar="N", help="the size of the prompt"),
    argument("--required-tool", action="append", default=[], metavar="TOOL", help="an arm must have it; repeatable"),
    argument("--strength", action="append", default=[], metavar="STRENGTH", help="wished for; repeatable"),
    argument("--budget-usd", type=float, metavar="USD", help="what it may cost"),
    argument("--deadline-ms", type=float, metavar="MS", help="how long it may take"),
    argument("--candidate", action="append", metavar="ARM", help="only these arms; repeatable"),
    argument("--override", metavar="ARM", help="this arm, whatever was learned"),
    argument("--in-tool-loop", action="store_true", help="inside a tool loop: nothing is explored"),
)


@command("advise", "say which arm takes a task, and why", "control-plane advise --task-type code.fix", arguments=_TASK)
def advise(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...router.terms import Task
    from ..planes import choosing

    task = Task(
        type=arguments.task_type,
        repo=arguments.repo,
        session=arguments.session,
        attempt=arguments.attempt,
        tokens_in=arguments.tokens_in,
        required_tools=tuple(arguments.required_tool),
        strengths=tuple(arguments.strength),
        budget_usd=arguments.budget_usd,
        deadline_ms=arguments.deadline_ms,
        candidates=tuple(arguments.candidate) if arguments.candidate is not None else None,
        override=arguments.override,
        in_tool_loop=arguments.in_tool_loop,
    )
    with choosing(arguments, out) as plane:
        advice = plane.advise(task)
        plane.flush()
        explanation = plane.explain(advice.decision_id)
    facts: dict[str, Any] = msgspec.to_builtins(advice)
    out.answer(facts, _lines(facts, msgspec.to_builtins(explanation)))
    return 0


def _lines(advice: dict[str, Any], why: dict[str, Any]) -> list[str]:
    chosen = next((row for row in why["contenders"] if row["arm"] == advice["arm"]), None)
    rivals = [f"{row['arm']} ${row['score']:.2f}" for row in why["contenders"] if row["arm"] != advice["arm"]][:3]
    head = [advice["strategy"]]
    if chosen is not None:
        head += [
            f"{chosen['success']:.0%} ±{chosen['error']:.0%}",
            f"≈ ${chosen['cost']:.3f}{' guessed' if chosen['guessed'] else ''}",
        ]
    rows = [("why", " · ".join(advice["reasons"]))]
    if len(advice["plan"]) > 1:
        steps = [f"{step['arm']} ({step['verifier']})" if step["verifier"] else step["arm"] for step in advice["plan"]]
        rows.append(("plan", " → ".join(steps)))
    if advice["should_pause"]:
        rows.append(("pause", " · ".join(advice["warnings"][:3])))
    if rivals:
        rows.append(("next", "   ".join(rivals)))
    if why["flip"]:
        rows.append(("flip", f"{why['flip']['arm']} {why['flip']['change']}"))
    rows += [("left out", f"{name}: {reason}") for name, reason in why["filtered"][:5]]
    rows += [
        ("decision", advice["decision_id"]),
        (
            "proof",
            f"ledger {advice['ledger_position']:,}   policy {advice['policy_hash'][:12]}   seed {advice['seed']}",
        ),
    ]
    return [f"→ {paint(advice['arm'], 'bold')}    {' · '.join(head)}", *(f"  {line}" for line in pairs(rows))]

"""`guard` decides about a call, explains a decision, reads rules, and says how the guardrails stand."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ..command import argument, command
from ..files import content_of
from ..guarding import guarding, looking_on_guard
from ..printing import Output, hanging, pairs, table

if TYPE_CHECKING:
    from ...guardrails.rollout import Phase

NO_RULES = "no rules file in this project"
_SESSION = argument("--session", default="command-line", metavar="NAME", help="the session that it belongs to")


@command(
    "guard check",
    "whether a write may go on, recorded as any other decision; exit 1 when it is blocked",
    "control-plane guard check --path src/app.ts",
    "control-plane guard check --bash 'echo x > notes.txt' --json",
    arguments=(
        argument("--path", metavar="FILE", help="the file that would be written"),
        argument("--bash", metavar="COMMAND", help="or the command that would run"),
        argument("--content", metavar="FILE", help="what would be written; - reads standard input"),
        argument("--tool", default="write", metavar="NAME", help="the tool's name (default: write)"),
        _SESSION,
    ),
)
def guard_check(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...guardrails import answering
    from ...guardrails.loading import has_rules

    if (arguments.path is None) == (arguments.bash is None):
        raise BadInput("guard check needs --path or --bash", cure="name the one or the other")
    tool, told = "bash", {"command": arguments.bash}
    if arguments.path is not None:
        tool, told = arguments.tool, {"file_path": arguments.path}
        if arguments.content:
            told["content"] = content_of(arguments.content).decode("utf-8", "replace")
    with guarding(arguments) as guard:
        found = answering.check(guard, tool, told, session=arguments.session, cwd=os.getcwd(), client="command-line")
        ruled = has_rules(guard.project)
    facts: dict[str, Any] = msgspec.to_builtins(found)
    lines = [("decision", found.decision), ("would", found.would), ("mode", found.mode), ("rule", found.rule)]
    lines += [
        ("id", found.decision_id),
        ("why", found.skip if ruled or found.rule else NO_RULES),
        ("warning", found.warning),
        ("message", found.message),
    ]
    out.answer(facts, pairs((name, str(value)) for name, value in lines if value))
    return 1 if found.decision == "block" else 0


@command(
    "guard explain",
    "a decision with every hit, and whether it comes out the same again",
    "control-plane guard explain last",
    arguments=(argument("decision", metavar="DECISION", help="its id, or last"),),
)
def guard_explain(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails import explaining

    with looking_on_guard(arguments) as guard:
        facts = explaining.explain(guard, arguments.decision)
    lines = [
        ("decision", facts["decision"]), ("session", facts["session"]), ("tool", facts["tool"]),
        ("live", facts["live"]), ("would", facts["would"]), ("why", facts["skip"]), ("rules", facts["rules"]),
        ("again", "the same" if facts["same"] else "DIFFERENT"),
    ]  # fmt: skip
    lines += [
        ("hit", f"{hit['rule']} {hit['path']}: {hit['would']} in {hit['mode']}{hit['note']}") for hit in facts["hits"]
    ]
    out.answer(facts, pairs(lines))
    return 0 if facts["same"] else 1


@command(
    "guard validate",
    "read the rules and say every fault in them; exit 1 when a trigger is lost",
    "control-plane guard validate",
    arguments=(argument("files", nargs="*", metavar="FILE", help="rules files (default: those of this project)"),),
)
def guard_validate(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails.errors import RulesUnreadable
    from ...guardrails.loading import PLACES, project_root
    from ...guardrails.rulefile import read_rules

    here = (os.path.relpath(os.path.join(project_root(os.getcwd()), place)) for place in PLACES)
    named = arguments.files or [place for place in here if Path(place).is_file()]
    facts: list[dict[str, Any]] = []
    for name in named:
        try:
            rules = read_rules(content_of(name))
            problems = [{"rule": one.rule, "what": one.what, "fatal": one.fatal} for one in rules.problems]
            facts.append({"file": name, "rules": len(rules.rules), "version": rules.version, "problems": problems})
        except RulesUnreadable as fault:
            lost = [{"rule": "", "what": f"{fault.what}: {fault.why}", "fatal": True}]
            facts.append({"file": name, "rules": 0, "version": "", "problems": lost})
    lines = [f"{one['file']}: {one['rules']} rules, {len(one['problems'])} problems" for one in facts]
    lines += [
        f"  {one['file']}: {problem['rule'] or 'the file'}: {problem['what']}{' (lost)' if problem['fatal'] else ''}"
        for one in facts
        for problem in one["problems"]
    ]
    out.answer({"files": facts}, lines or [NO_RULES])
    return 1 if any(problem["fatal"] for one in facts for problem in one["problems"]) else 0


@command(
    "guard status",
    "modes, rules, the eight phases of the rollout with their evidence, and what is not covered",
    "control-plane guard status",
)
def guard_status(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...guardrails import answering
    from ...guardrails.loading import has_rules
    from ...guardrails.measures import kpis
    from ...guardrails.rollout import phases

    with looking_on_guard(arguments) as guard:
        standing = answering.standing(guard)
        state = guard.state()
        found, figures = phases(state, guard.now()), kpis(state)
        rules = (
            standing.rules if standing.alert or has_rules(guard.project) else f"{NO_RULES}; only our own are in force"
        )
    facts: dict[str, Any] = msgspec.to_builtins(standing)
    facts |= {"phases": msgspec.to_builtins(found), "kpis": msgspec.to_builtins(figures)}
    alive = ", ".join(session for session, on in standing.protected.items() if on) or "none"
    counts = f"{standing.decisions:,}, {standing.blocks:,} blocked, {standing.would_blocks:,} would have been"
    told = [
        ("mode", standing.told or "by promotion, shadow where there was none"),
        ("enforced", ", ".join(standing.enforced) or "nothing"),
        ("shadow", ", ".join(standing.shadow) or "nothing"),
        ("rules", f"{rules}{f', ALERT {standing.alert}' if standing.alert else ''}"),
        ("decisions", counts),
        ("sessions", f"{standing.sessions:,}, protected: {alive}"),
        ("hooks failed", f"{standing.hook_failures:,}"),
    ]  # fmt: skip
    if standing.off_until:
        told.append(
            ("OFF", f"a person switched them off for {(standing.off_until - guard.now()) / 60:.0f} minutes more")
        )
    lines = pairs(told)
    for phase in found:
        lines += _phase(phase)
    lines += ["", "not covered:", *(line for one in standing.not_covered for line in hanging("  ", one))]
    out.answer(facts, lines)
    return 0


def _phase(phase: "Phase") -> list[str]:
    head = f"phase {phase.number} {phase.name}: {phase.status}"
    if phase.status == "pending":
        return [head]
    # What opens a phase may close it as well.
    evidence = dict.fromkeys((*phase.entry, *phase.exit))
    told = [(f"  {'done' if one.there else 'open'}  ", f"{one.what}: {one.seen}") for one in evidence]
    return [head, *(line for mark, words in told for line in hanging(mark, words))]


@command(
    "guard canary",
    "whether a session is really protected: only with a decision that is young enough; exit 1 when it is not",
    "control-plane guard canary --session command-line",
    arguments=(_SESSION, argument("--minutes", type=float, default=10.0, help="how young (default: 10)")),
)
def guard_canary(arguments: argparse.Namespace, out: Output) -> int:
    with looking_on_guard(arguments) as guard:
        guard.ledger.flush()
        alive = guard.protected(arguments.session, arguments.minutes)
        known = guard.state().sessions.get(arguments.session)
    facts = {
        "session": arguments.session, "protected": alive, "decisions": known.decisions if known else 0,
        "last": known.last if known else None,
    }  # fmt: skip
    out.answer(facts, [f"{arguments.session} is {'protected' if alive else 'NOT protected: no young decision'}"])
    return 0 if alive else 1


@command(
    "guard install",
    "write our hook into Claude Code's settings, or take it out",
    "control-plane guard install --claude",
    "control-plane guard install --claude --remove",
    arguments=(
        argument("--claude", action="store_true", help="Claude Code, .claude/settings.json"),
        argument("--settings", default=".claude/settings.json", metavar="FILE", help="another settings file"),
        argument("--remove", action="store_true", help="take it out again"),
    ),
)
def guard_install(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails import installing

    if not arguments.claude:
        raise BadInput("say which client", cure="control-plane guard install --claude, or opencode install")
    settings = Path(arguments.settings)
    changed = installing.remove(settings) if arguments.remove else installing.install(settings)
    word = "removed from" if arguments.remove else "written to"
    out.answer(
        {"settings": str(settings), "events": changed, "removed": arguments.remove},
        [f"{word} {settings}: {', '.join(changed)}" if changed else f"{settings} stays as it is"],
    )
    return 0


@command(
    "guard replay",
    "decide every recorded decision again and compare the bytes; exit 1 when one differs",
    "control-plane guard replay",
)
def guard_replay(arguments: argparse.Namespace, out: Output) -> int:
    with looking_on_guard(arguments) as guard:
        found = guard.replay()
    out.answer(
        found._asdict(),
        table(("decisions", "same", "digest"), [(str(found.decisions), str(found.same), found.digest)], right=(0, 1)),
    )
    return 0 if found.same == found.decisions else 1

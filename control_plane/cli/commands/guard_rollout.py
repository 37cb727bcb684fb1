"""The rollout by command: labels, figures, reports, tuning, promotion and demotion."""

import argparse
from typing import TYPE_CHECKING, Any

from ..command import argument, command
from ..guarding import ACTOR, actor_of, looking_on_guard
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...guardrails.tuning import Rehearsal

_FAMILY = argument("family", metavar="FAMILY", help="the rules' family, the word before their first dash")
_SCOPE = argument("--scope", default="", metavar="FOLDER", help="only there (default: the whole project)")


@command(
    "guard label",
    "say what a hit was worth; a false positive too many demotes its family at once",
    "control-plane guard label last TP",
    arguments=(
        argument("decision", metavar="DECISION", help="its id, as the message names it, or last"),
        argument("label", choices=("TP", "FP", "UNCLEAR"), help="true, false or unclear"),
        argument("--rule", metavar="RULE", help="which of its rules, where there are several"),
        argument("--note", default="", metavar="WORDS", help="kept in the signed event"),
        ACTOR,
    ),
)
def guard_label(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails.explaining import resolve
    from ...guardrails.terms import Label

    with looking_on_guard(arguments) as guard:
        decision = resolve(guard, arguments.decision)
        events = guard.label(
            decision, Label(arguments.label), rule=arguments.rule, actor=actor_of(arguments), note=arguments.note
        )
    demoted = sorted({str(getattr(event, "family", "")) for event in events[1:]})
    facts = {"decision": decision, "label": arguments.label, "demoted": demoted}
    out.answer(facts, [f"{decision} is {arguments.label}", *(f"{family} is back in shadow" for family in demoted)])
    return 0


@command("guard kpi", "the figures of the guardrails, and of each family", "control-plane guard kpi")
def guard_kpi(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...guardrails.measures import families, kpis, rules_of
    from ...guardrails.reports import modes_of

    with looking_on_guard(arguments) as guard:
        guard.matcher()
        guard.ledger.flush()
        state = guard.state()
        found, listed, rules = kpis(state), families(state, modes_of(guard, state)), rules_of(state)
    facts: dict[str, Any] = msgspec.to_builtins(found)
    lines = pairs((name.replace("_", " "), "–" if value is None else f"{value:g}") for name, value in facts.items())
    rows = [(one.family, one.mode.value, str(one.true), str(one.false), f"{one.bound:.2%}") for one in listed]
    lines += ["", *table(("family", "mode", "true", "false", "at most false"), rows, right=(2, 3, 4))]
    facts |= {"families": msgspec.to_builtins(listed), "rules": msgspec.to_builtins(rules)}
    out.answer(facts, lines)
    return 0


@command(
    "guard report",
    "write a report into the home, as Markdown and JSON, and its digest into the log",
    "control-plane guard report progress",
    arguments=(
        argument(
            "kind", metavar="KIND",
            help="baseline, labels, progress, burn-in, tuning, expansion, execute, weekly or playbook",
        ),
    ),
)  # fmt: skip
def guard_report(arguments: argparse.Namespace, out: Output) -> int:
    return _report(arguments, arguments.kind, out)


@command(
    "guard burn-in",
    "the burn-in report: noisy rules, and candidates to tune them replayed over history",
    "control-plane guard burn-in",
)
def guard_burn_in(arguments: argparse.Namespace, out: Output) -> int:
    return _report(arguments, "burn-in", out)


@command(
    "guard weekly",
    "the weekly report, with what it proposes and the figures behind that",
    "control-plane guard weekly --json",
)
def guard_weekly(arguments: argparse.Namespace, out: Output) -> int:
    return _report(arguments, "weekly", out)


def _report(arguments: argparse.Namespace, kind: str, out: Output) -> int:
    import msgspec

    from ...guardrails import reporting
    from ...guardrails.report import as_markdown

    with looking_on_guard(arguments) as guard:
        report = reporting.make(guard, kind)
        files = reporting.write(guard, report)
    facts: dict[str, Any] = msgspec.to_builtins(report)
    facts["files"] = [str(path) for path in files]
    out.answer(facts, [*as_markdown(report).splitlines(), "", *(f"written: {path}" for path in files)])
    return 0


@command(
    "guard tune",
    "try a change of a rule on every recorded decision, and apply it when no true hit is lost",
    "control-plane guard tune",
    "control-plane guard tune database-verification --exclude 'src/db/*.md'",
    arguments=(
        argument("rule", nargs="?", metavar="RULE", help="without one: candidates out of the labels"),
        argument("--exclude", action="append", default=[], metavar="GLOB", help="paths that it shall not meet"),
        argument("--path", action="append", default=[], metavar="GLOB", help="paths in place of its own"),
        argument("--marker", action="append", default=[], metavar="TEXT", help="a text in a file that passes it by"),
        argument("--apply", action="store_true", help="write it into the rules file"),
        ACTOR,
    ),
)
def guard_tune(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...guardrails.tuning import Change, candidates, rehearse, tune

    with looking_on_guard(arguments) as guard:
        if arguments.rule is None:
            guard.matcher()
            guard.ledger.flush()
            state = guard.state()
            tried = [rehearse(guard.ledger, state, change) for change in candidates(state)]
        else:
            change = Change(
                rule=arguments.rule, exclude=tuple(arguments.exclude), paths=tuple(arguments.path),
                markers=tuple(arguments.marker),
            )  # fmt: skip
            tried = [tune(guard, change, apply=arguments.apply, actor=actor_of(arguments))]
    out.answer(
        {"applied": arguments.apply, "tried": msgspec.to_builtins(tried)},
        _tried(tried) if tried else ["no false positive is labelled, so nothing is proposed"],
    )
    return 0


def _tried(tried: "list[Rehearsal]") -> list[str]:
    rows = [
        (
            one.change.rule, one.change.words, f"{one.hits_before} → {one.hits_after}",
            f"{one.false_before} → {one.false_after}", f"{one.true_before} → {one.true_after}",
            "yes" if one.good else "no",
        )
        for one in tried
    ]  # fmt: skip
    return table(("rule", "change", "hits", "false", "true", "good"), rows)


@command(
    "guard promote",
    "let a family block; refused unless its labels rule out a false-positive rate above the target",
    "control-plane guard promote database --look",
    arguments=(
        _FAMILY,
        _SCOPE,
        argument("--target", type=float, default=0.05, metavar="SHARE", help="at most so many false (default: 0.05)"),
        argument("--look", action="store_true", help="only say what the labels bear"),
        ACTOR,
    ),
)
def guard_promote(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails.errors import PromotionRefused
    from ...guardrails.rules import figures
    from ...guardrails.statistics import labels_needed

    with looking_on_guard(arguments) as guard:
        guard.matcher()
        guard.ledger.flush()
        seen = figures(guard.state(), arguments.family, arguments.scope)
        needed = labels_needed(seen.false, arguments.target)
        facts: dict[str, Any] = {
            "family": arguments.family, "scope": arguments.scope, "true": seen.true, "false": seen.false,
            "bound": seen.bound, "target": arguments.target, "labels_needed": needed, "promoted": False, "why": "",
        }  # fmt: skip
        if not arguments.look:
            try:
                guard.promote(
                    arguments.family, scope=arguments.scope, actor=actor_of(arguments), target=arguments.target
                )  # fmt: skip
                facts["promoted"] = True
            except PromotionRefused as fault:
                facts["why"] = fault.why
    told = f"{seen.true} true, {seen.false} false, at most {seen.bound:.2%} false; {needed} labels are needed in all"
    if arguments.look:
        out.answer(facts, [f"{arguments.family}: {told}"])
        return 0
    word = "is enforced" if facts["promoted"] else "is NOT promoted"
    out.answer(facts, [f"{arguments.family} {word}: {told}"])
    return 0 if facts["promoted"] else 1


@command(
    "guard demote",
    "take a family back to shadow, or out altogether, at once",
    "control-plane guard demote database",
    arguments=(
        _FAMILY,
        _SCOPE,
        argument("--to", choices=("shadow", "off"), default="shadow", help="shadow (the default) or off"),
        ACTOR,
    ),
)
def guard_demote(arguments: argparse.Namespace, out: Output) -> int:
    from ...guardrails.terms import Mode

    with looking_on_guard(arguments) as guard:
        guard.set_mode(arguments.family, Mode(arguments.to), scope=arguments.scope, actor=actor_of(arguments))
    out.answer(
        {"family": arguments.family, "scope": arguments.scope, "mode": arguments.to},
        [f"{arguments.family} is in {arguments.to} {f'below {arguments.scope}' if arguments.scope else 'everywhere'}"],
    )
    return 0

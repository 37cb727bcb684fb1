"""The reports of the rollout, each a fold of the log and no more."""

from collections.abc import Callable
from typing import Any

import msgspec

from .answering import standing
from .coverage import NOT_COVERED
from .measures import (
    WEEK,
    Kpis,
    arms_between,
    blocking_families,
    families,
    kpis,
    results_of,
    rules_of,
    state_between,
)
from .messages import WAY_OUT
from .proposals import proposals
from .report import Section
from .rollout import phases
from .service import Guard
from .state import State
from .stopping import TIMEOUT_S
from .terms import Mode
from .tuning import candidates, rehearse

Made = tuple[str, list[Section]]


def figures_of(found: Kpis) -> dict[str, float]:
    told: dict[str, Any] = msgspec.to_builtins(found)
    return {name: round(value, 6) for name, value in told.items() if value is not None}


def _baseline(guard: Guard, state: State) -> Made:
    rules = state.versions.get(state.rules, ())
    sample = next(reversed(state.sessions), "")
    shown = [(rule.name, rule.family, rule.enforcement.value, rule.priority) for rule in rules]
    told = guard.settings()
    return "Guardrails baseline", [
        Section(title="Rules", heads=("rule", "family", "enforcement", "priority"), rows=tuple(shown)),
        Section(
            title="Settings",
            lines=(
                f"OPENCODE_ENFORCEMENT_MODE={told.enforcement_mode}",
                f"OPENCODE_STOP_CHECK_MODE={told.stop_check_mode}",
                f"OPENCODE_STOP_MAX_COMMANDS={told.stop_max_commands}",
                f"session sample: {sample or 'none yet'}",
            ),
        ),
        Section(title="Not covered", lines=NOT_COVERED),
    ]


def _labels(_: Guard, state: State) -> Made:
    """The sheet to fill in: what is unlabelled first, the newest first."""
    hits = sorted(state.hits.items(), key=lambda one: (one[1].label is not None, -one[1].at))[:200]
    rows = tuple(
        (key.partition("\n")[0], hit.rule, hit.path, hit.would.value, hit.label.value if hit.label else "", hit.actor)
        for key, hit in hits
    )
    heads = ("decision", "rule", "file", "would", "label", "by")
    note = "Label one: control-plane guard label DECISION TP|FP|UNCLEAR --rule RULE"
    return "Guardrails labelling sheet", [Section(title="Hits", lines=(note,), heads=heads, rows=rows)]


def _progress(guard: Guard, state: State) -> Made:
    return "Guardrails progress", [_phases(guard, state), _families(guard, state)]


def _burn_in(guard: Guard, state: State) -> Made:
    span = state.last_decision - state.first_decision
    heads = ("change", "decisions", "false before", "false after", "true before", "true after")
    rows = tuple(
        (
            f"{one.change.rule}: {one.change.words}", str(one.decisions), str(one.false_before), str(one.false_after),
            str(one.true_before), str(one.true_after),
        )
        for one in (rehearse(guard.ledger, state, change) for change in candidates(state))
    )  # fmt: skip
    return "Guardrails burn-in", [
        Section(title="Span", lines=(f"{span / 3600:.1f} hours, {state.counts.sessions} sessions",)),
        _rules(state),
        Section(title="Tuning candidates, replayed over the history", heads=heads, rows=rows),
        _families(guard, state),
    ]


def _tuning(_: Guard, state: State) -> Made:
    heads = ("rule", "change", "applied", "false before", "false after", "true before", "true after")
    rows = tuple(
        (
            one.rule, one.after, "yes" if one.applied else "no", str(one.false_before), str(one.false_after),
            str(one.true_before), str(one.true_after),
        )
        for one in state.tunings
    )  # fmt: skip
    return "Guardrails tuning notes", [Section(title="Changes", heads=heads, rows=rows), _rules(state)]


def _expansion(guard: Guard, state: State) -> Made:
    heads = ("family", "scope", "to", "because", "true", "false", "at most false")
    rows = tuple(
        (
            one.family, one.scope or "everywhere", one.mode.value, one.cause, str(one.clean), str(one.false),
            f"{one.bound:.2%}",
        )
        for one in state.changes
    )  # fmt: skip
    alive = standing(guard).protected
    return "Guardrails expansion", [
        Section(title="Promotions and demotions", heads=heads, rows=rows),
        Section(
            title="Canary",
            lines=tuple(f"{session}: {'protected' if live else 'silent'}" for session, live in alive.items()),
        ),
        _families(guard, state),
    ]


def _execute(_: Guard, state: State) -> Made:
    heads = ("scope", "mode", "commands at most", "time-out", "tests")
    rows = tuple(
        (
            scope or "everywhere", held.mode, str(held.max_commands or "default"),
            f"{held.timeout_s or TIMEOUT_S:g} s", {True: "yes", False: "no", None: "default"}[held.include_test],
        )
        for scope, held in sorted(state.stop.items())
    )  # fmt: skip
    counts = state.counts
    return "Stop checks", [
        Section(title="Scopes", heads=heads, rows=rows),
        Section(
            title="What ran",
            lines=(
                f"{counts.plans} plans; {counts.stop_passed} passed, {counts.stop_failed} failed, "
                f"{counts.stop_timed_out} timed out",
                f"programs: {', '.join(state.managers) or 'none'}",
                f"failed at least once: {', '.join(state.failed) or 'none'}",
            ),
        ),
    ]


def _weekly(guard: Guard, state: State) -> Made:
    now = guard.now()
    week = kpis(state_between(guard.ledger, now - WEEK, now + 1.0))
    arms = arms_between(results_of(guard.ledger), now - WEEK, now + 1.0)
    known = families(state, modes_of(guard, state))
    proposed = proposals(week, known, rules_of(state), arms, state)
    rows = tuple((one.area, one.change, one.figures) for one in proposed)
    arm_rows = tuple(
        (a.arm, str(a.results), str(a.successes), str(a.failures), f"{a.cost_usd:.4f}", str(a.rate_limited),
         str(a.timed_out))
        for a in arms
    )  # fmt: skip
    heads = ("arm", "results", "succeeded", "failed", "$", "rate limits", "time-outs")
    return "Guardrails week", [
        Section(title="This week", lines=tuple(f"{name}: {value:g}" for name, value in figures_of(week).items())),
        Section(title="Proposals", heads=("area", "change", "figures"), rows=rows),
        Section(title="Arms", heads=heads, rows=arm_rows),
        _families(guard, state),
        _rules(state),
    ]  # fmt: skip


def _playbook(guard: Guard, state: State) -> Made:
    modes = modes_of(guard, state)
    return "Team playbook of this project", [
        Section(
            title="What holds now",
            lines=tuple(f"{name}: {modes.get(name, Mode.SHADOW).value}" for name in blocking_families(state)),
        ),
        Section(
            title="A block is wrong",
            lines=("label it: control-plane guard label DECISION FP", f"way out for everybody: {WAY_OUT}"),
        ),
        Section(
            title="Incident",
            lines=(
                "stop: control-plane guard demote FAMILY --actor NAME, or OPENCODE_ENFORCEMENT_MODE=shadow",
                "stop checks: control-plane guard stop-mode plan --actor NAME, or OPENCODE_STOP_CHECK_MODE=plan",
                "keep the traces: control-plane ledger export, control-plane guard report burn-in",
                "label what happened, tune, burn in again, promote again",
            ),
        ),
        Section(title="Not covered", lines=NOT_COVERED),
    ]


def _phases(guard: Guard, state: State) -> Section:
    rows = []
    for phase in phases(state, guard.now()):
        missing = [one.what for one in (*phase.entry, *phase.exit) if not one.there]
        rows.append((str(phase.number), phase.name, phase.status, "; ".join(missing)))
    return Section(title="Phases", heads=("", "phase", "status", "still missing"), rows=tuple(rows))


def _families(guard: Guard, state: State) -> Section:
    rows = tuple(
        (one.family, one.mode.value, str(one.true), str(one.false), f"{one.bound:.2%}")
        for one in families(state, modes_of(guard, state))
    )
    return Section(title="Families", heads=("family", "mode", "true", "false", "at most false"), rows=rows)


def modes_of(guard: Guard, state: State) -> dict[str, Mode]:
    modes = guard.modes()
    return {rule.family: modes.of(rule.family, "")[0] for rule in state.versions.get(state.rules, ())}


def _rules(state: State) -> Section:
    rows = tuple((one.rule, str(one.hits), str(one.true), str(one.false), str(one.unclear)) for one in rules_of(state))
    heads = ("rule", "hits", "true", "false", "unclear")
    return Section(title="Rules, most false positives first", heads=heads, rows=rows)


KINDS: dict[str, Callable[[Guard, State], Made]] = {
    "baseline": _baseline, "labels": _labels, "progress": _progress, "burn-in": _burn_in, "tuning": _tuning,
    "expansion": _expansion, "execute": _execute, "weekly": _weekly, "playbook": _playbook,
}  # fmt: skip

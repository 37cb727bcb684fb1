"""What the log says about the guardrails: the rules in force, each session's past, hits, labels, checks."""

from collections.abc import Callable
from typing import Any

import msgspec

from ..ledger.events import Event
from . import events as e
from .deciding import Past, key_of
from .rulefile import Rule
from .terms import Decision, Label, Mode

MOST_SESSIONS, MOST_HITS, MOST_VERSIONS, MOST_PATHS = 500, 5000, 20, 200


class Session(msgspec.Struct):
    began: float
    last: float
    decisions: int = 0
    blocks: int = 0
    would_blocks: int = 0
    edited: list[str] = msgspec.field(default_factory=list)
    skills: list[str] = msgspec.field(default_factory=list)
    forged: list[str] = msgspec.field(default_factory=list)
    trusted: list[str] = msgspec.field(default_factory=list)
    violations: list[str] = msgspec.field(default_factory=list)
    rounds: dict[str, int] = msgspec.field(default_factory=dict)

    def past(self) -> Past:
        return Past(frozenset(self.skills), frozenset(self.forged), frozenset(self.trusted))


class Hit(msgspec.Struct):
    """One hit that may still be labelled, and the label that it got."""

    rule: str
    family: str
    path: str
    would: Decision
    live: Decision
    session: str
    at: float
    rules: str
    label: Label | None = None
    actor: str = ""


class Counts(msgspec.Struct):
    decisions: int = 0
    blocks: int = 0
    would_blocks: int = 0
    sessions: int = 0
    stop_passed: int = 0
    stop_failed: int = 0
    stop_timed_out: int = 0
    plans: int = 0
    failures: int = 0
    refused_rules: int = 0


class StopScope(msgspec.Struct):
    mode: str
    max_commands: int | None = None
    timeout_s: float | None = None
    include_test: bool | None = None


class Tuning(msgspec.Struct):
    rule: str
    before: str
    after: str
    applied: bool
    false_before: int
    false_after: int
    true_before: int
    true_after: int
    at: float


class State(msgspec.Struct):
    rules: str = ""
    versions: dict[str, tuple[Rule, ...]] = msgspec.field(default_factory=dict)
    alert: str = ""
    modes: dict[str, Mode] = msgspec.field(default_factory=dict)
    changes: list[e.ModeChanged] = msgspec.field(default_factory=list)
    off_until: float = 0.0
    sessions: dict[str, Session] = msgspec.field(default_factory=dict)
    hits: dict[str, Hit] = msgspec.field(default_factory=dict)
    counts: Counts = msgspec.field(default_factory=Counts)
    per_rule: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    stop: dict[str, StopScope] = msgspec.field(default_factory=dict)
    tunings: list[Tuning] = msgspec.field(default_factory=list)
    reports: dict[str, float] = msgspec.field(default_factory=dict)
    # The span of what was watched, in seconds of the log's own clock, and what else the phases ask for.
    first_decision: float = 0.0
    last_decision: float = 0.0
    first_shadow: float = 0.0
    first_enforced: float = 0.0
    first_plan: float = 0.0
    first_executed: float = 0.0
    managers: list[str] = msgspec.field(default_factory=list)
    failed: list[str] = msgspec.field(default_factory=list)


def hit_key(decision: str, rule: str) -> str:
    return f"{decision}\n{rule}"


def fold(state: State, event: Event) -> None:
    handler = _HANDLERS.get(type(event))
    if handler is not None:
        handler(state, event)


def _session(state: State, name: str, at: float) -> Session:
    found = state.sessions.pop(name, None)
    if found is None:
        found = Session(at, at)
        state.counts.sessions += 1
        while len(state.sessions) >= MOST_SESSIONS:
            state.sessions.pop(next(iter(state.sessions)))
    found.last = max(found.last, at)
    # The newest stands last, so the oldest goes first.
    state.sessions[name] = found
    return found


def _decided(state: State, event: e.Decided) -> None:
    session = _session(state, event.seen.session, event.at)
    session.decisions += 1
    state.counts.decisions += 1
    state.first_decision = state.first_decision or event.at
    state.last_decision = max(state.last_decision, event.at)
    blocks, would = event.live is Decision.BLOCK, event.would is Decision.BLOCK
    session.blocks += blocks
    session.would_blocks += would
    state.counts.blocks += blocks
    state.counts.would_blocks += would
    if any(hit.mode is Mode.SHADOW for hit in event.hits) or event.skip == "no rule matches":
        state.first_shadow = state.first_shadow or event.at
    if any(hit.mode is Mode.ENFORCE for hit in event.hits):
        state.first_enforced = state.first_enforced or event.at
    for target in event.seen.targets:
        for marker in target.adds:
            _add(session.forged, f"{target.path}\n{marker}")
        for marker in target.markers:
            mark = f"{target.path}\n{marker}"
            if mark not in session.forged:
                _add(session.trusted, mark)
    for hit in event.hits:
        if hit.would is Decision.BLOCK:
            _add(session.violations, f"{hit.rule} {hit.path}")
        tally = state.per_rule.setdefault(hit.rule, {"hits": 0, "would": 0, "live": 0})
        tally["hits"] += 1
        tally["would"] += hit.would is Decision.BLOCK
        tally["live"] += hit.live is Decision.BLOCK
        if hit.would is not Decision.ALLOW:
            state.hits[hit_key(event.decision, hit.rule)] = Hit(
                hit.rule, hit.family, hit.path, hit.would, hit.live, event.seen.session, event.at, event.rules
            )
    _forget(state)


def _forget(state: State) -> None:
    """What nobody labelled for long is let go; labels stay, they carry promotions."""
    if len(state.hits) > MOST_HITS:
        bare = [key for key, hit in state.hits.items() if hit.label is None]
        for key in bare[: MOST_HITS // 10]:
            del state.hits[key]


def _add(listed: list[str], one: str) -> None:
    if one not in listed:
        listed.append(one)
        del listed[:-MOST_PATHS]


def _rules(state: State, event: e.RulesLoaded) -> None:
    state.rules, state.alert = event.version, ""
    state.versions.pop(event.version, None)
    state.versions[event.version] = event.rules
    while len(state.versions) > MOST_VERSIONS:
        state.versions.pop(next(iter(state.versions)))


def _refused(state: State, event: e.RulesRefused) -> None:
    state.alert = f"{event.source}: {event.reason}"
    state.counts.refused_rules += 1


def _mode(state: State, event: e.ModeChanged) -> None:
    state.modes[key_of(event.family, event.scope)] = event.mode
    state.changes.append(event)
    del state.changes[:-100]


def _label(state: State, event: e.HitLabelled) -> None:
    hit = state.hits.get(hit_key(event.decision, event.rule))
    if hit is not None:
        hit.label, hit.actor = event.label, event.actor


def _finished(state: State, event: e.ToolFinished) -> None:
    session = _session(state, event.session, event.at)
    for path in event.edited:
        _add(session.edited, path)
    if event.skill:
        _add(session.skills, event.skill)


def _planned(state: State, event: e.StopPlanned) -> None:
    state.counts.plans += 1
    state.first_plan = state.first_plan or event.at
    for command in event.commands:
        _add(state.managers, command[0])
    _session(state, event.session, event.at)


def _checked(state: State, event: e.StopChecked) -> None:
    state.first_executed = state.first_executed or event.at
    field = {"passed": "stop_passed", "timed-out": "stop_timed_out"}.get(event.outcome, "stop_failed")
    setattr(state.counts, field, getattr(state.counts, field) + 1)
    if event.outcome != "passed":
        _add(state.failed, " ".join(event.command))


def _answered(state: State, event: e.StopAnswered) -> None:
    _session(state, event.session, event.at).rounds[event.cause] = event.round


def _stop_mode(state: State, event: e.StopModeChanged) -> None:
    state.stop[event.scope] = StopScope(event.mode, event.max_commands, event.timeout_s, event.include_test)


def _switched_off(state: State, event: e.SwitchedOff) -> None:
    state.off_until = event.until


def _switched_on(state: State, event: e.SwitchedOn) -> None:
    state.off_until = min(state.off_until, event.at)


def _failed(state: State, _: e.HookFailed) -> None:
    state.counts.failures += 1


def _report(state: State, event: e.ReportWritten) -> None:
    state.reports[event.kind] = event.at


def _tuned(state: State, event: e.RulesTuned) -> None:
    state.tunings.append(
        Tuning(
            event.rule, event.before, event.after, event.applied, event.false_before, event.false_after,
            event.true_before, event.true_after, event.at,
        )
    )  # fmt: skip
    del state.tunings[:-100]


_HANDLERS: dict[type[Event], Callable[[State, Any], None]] = {
    e.Decided: _decided, e.RulesLoaded: _rules, e.RulesRefused: _refused, e.ModeChanged: _mode, e.HitLabelled: _label,
    e.ToolFinished: _finished, e.StopPlanned: _planned, e.StopChecked: _checked, e.StopAnswered: _answered,
    e.StopModeChanged: _stop_mode, e.SwitchedOff: _switched_off, e.SwitchedOn: _switched_on, e.HookFailed: _failed,
    e.ReportWritten: _report, e.RulesTuned: _tuned,
}  # fmt: skip

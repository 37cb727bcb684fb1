"""What the events of sessions show: eight ways to go wrong and five to do well. Pure; who found it signs it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec

from .patterns import POSITIVE_PATTERNS

EDITS_OF_ONE_FILE = 3  # more are shotgun debugging
TOKENS_PER_LINE = 500  # more are inefficient
ERRORS_IN_A_ROW, ERRORS_CRITICAL = 3, 5
FAILURES_OF_ONE_COMMAND = 3
SESSIONS_WITH_ONE_ERROR, SESSIONS_CRITICAL = 2, 3
FAILED_ATTEMPTS = 3
QUOTA_RISK, QUOTA_CRITICAL = 0.85, 0.95
FEW_EDITS = 2  # that mend an error: efficient
FAST_S = 300.0
REFACTORED_FILES = 2


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a session. `place` and `command` are paths, names or hashes; `ok` is how a command, test, delegated
    part or whole task ended."""

    kind: Literal["edit", "error", "command", "delegation", "quota", "end"]
    at: float
    session: str
    place: str | None = None
    command: str | None = None
    tool: str | None = None
    error_type: str | None = None
    ok: bool | None = None
    tokens: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    suppressions: int = 0
    used: float = 0.0


class Signal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was found; with a task type and a trace id it is the predicate of a record."""

    pattern: str
    severity: str
    session: str
    ts: float
    place: str | None = None
    tool: str | None = None
    error_type: str | None = None
    quota: float = 0.0

    @property
    def kind(self) -> str:
        return "positive-pattern" if self.pattern in POSITIVE_PATTERNS else "anti-pattern"

    def predicate(self, task_type: str, trace_id: str) -> dict[str, Any]:
        return {"kind": self.kind, "task_type": task_type, "trace_id": trace_id, **msgspec.to_builtins(self)}


Session = Sequence[Happened]


def detect(events: Iterable[Happened]) -> list[Signal]:
    """Every signal in these events, session by session, in an order that depends on nothing else."""
    sessions: dict[str, list[Happened]] = {}
    for event in sorted(events, key=lambda event: event.at):
        sessions.setdefault(event.session, []).append(event)
    found = [signal for session in sessions.values() for look in _LOOKS for signal in look(session)]
    return found + repeated_mistakes(sessions)


def shotgun_debug(session: Session) -> list[Signal]:
    edits = Counter(event.place for event in session if event.kind == "edit" and event.place is not None)
    return [
        _signal(session, "shotgun_debug", "high" if count > 2 * EDITS_OF_ONE_FILE else "medium", place=place)
        for place, count in edits.items()
        if count > EDITS_OF_ONE_FILE
    ]


def inefficient_solution(session: Session) -> list[Signal]:
    tokens = sum(event.tokens for event in session)
    lines = sum(event.lines_added + event.lines_removed for event in session)
    return [_signal(session, "inefficient_solution", "medium")] if lines and tokens > TOKENS_PER_LINE * lines else []


def broken_state(session: Session) -> list[Signal]:
    """Errors in a row, with nothing between them that went well."""
    longest = run = 0
    last: Happened | None = None
    for event in session:
        if event.kind == "error" or event.ok is False:
            run += 1
            if run > longest:
                longest, last = run, event
        elif event.ok:
            run = 0
    if last is None or longest < ERRORS_IN_A_ROW:
        return []
    severity = "critical" if longest >= ERRORS_CRITICAL else "high"
    return [_signal(session, "broken_state", severity, place=last.place, error_type=last.error_type)]


def wrong_tool(session: Session) -> list[Signal]:
    """The same command, failing again and again."""
    failed = Counter(
        (event.command, event.tool)
        for event in session
        if event.kind == "command" and event.ok is False and event.command
    )
    return [
        _signal(session, "wrong_tool", "medium", tool=tool or command)
        for (command, tool), count in failed.items()
        if count >= FAILURES_OF_ONE_COMMAND
    ]


def failed_debug(session: Session) -> list[Signal]:
    """Three attempts at an error, and it ended badly all the same."""
    errors = [event for event in session if event.kind == "error"]
    attempts = _edits_after_first_error(session)
    if not errors or _ended(session) is not False or attempts < FAILED_ATTEMPTS:
        return []
    return [_signal(session, "failed_debug", "high", error_type=errors[-1].error_type)]


def type_suppression(session: Session) -> list[Signal]:
    places = {event.place: None for event in session if event.kind == "edit" and event.suppressions > 0}
    return [_signal(session, "type_suppression", "high", place=place) for place in places]


def quota_exhaustion_risk(session: Session) -> list[Signal]:
    used = max((event.used for event in session if event.kind == "quota"), default=0.0)
    if used <= QUOTA_RISK:
        return []
    severity = "critical" if used > QUOTA_CRITICAL else "high"
    return [_signal(session, "quota_exhaustion_risk", severity, quota=min(used, 1.0))]


def repeated_mistakes(sessions: dict[str, list[Happened]]) -> list[Signal]:
    """One error in several sessions: nobody learned from it."""
    seen: dict[str, dict[str, Session]] = {}
    for name, session in sessions.items():
        for event in session:
            if event.error_type is not None and (event.kind == "error" or event.ok is False):
                seen.setdefault(event.error_type, {})[name] = session
    return [
        _signal(
            list(where.values())[-1],
            "repeated_mistake",
            "critical" if len(where) >= SESSIONS_CRITICAL else "high",
            error_type=error_type,
        )
        for error_type, where in sorted(seen.items())
        if len(where) >= SESSIONS_WITH_ONE_ERROR
    ]


def efficient_debug(session: Session) -> list[Signal]:
    errors = [event for event in session if event.kind == "error"]
    few = 0 < _edits_after_first_error(session) <= FEW_EDITS
    return (
        [_signal(session, "efficient_debug", "medium", error_type=errors[0].error_type)]
        if few and _went_well(session)
        else []
    )


def creative_solution(session: Session) -> list[Signal]:
    """What failed twice with one tool went well with another."""
    failed = Counter(event.tool for event in session if event.kind == "command" and event.ok is False and event.tool)
    stuck = {tool for tool, count in failed.items() if count >= 2}
    last = next((event for event in reversed(session) if event.kind == "command" and event.tool), None)
    fine = stuck and last is not None and last.ok and last.tool not in stuck and _went_well(session)
    return [_signal(session, "creative_solution", "medium", tool=last.tool)] if fine and last is not None else []


def good_delegation(session: Session) -> list[Signal]:
    parts = [event for event in session if event.kind == "delegation"]
    fine = parts and all(event.ok for event in parts) and _went_well(session)
    return [_signal(session, "good_delegation", "low")] if fine else []


def clean_refactor(session: Session) -> list[Signal]:
    """Several files, no more lines than before, nothing silenced, nothing ever red."""
    edits = [event for event in session if event.kind == "edit"]
    grown = sum(event.lines_added - event.lines_removed for event in edits)
    fine = (
        len({event.place for event in edits}) >= REFACTORED_FILES
        and any(event.lines_removed for event in edits)
        and grown <= 0
        and not any(event.suppressions for event in edits)
        and not _went_wrong(session)
    )
    return [_signal(session, "clean_refactor", "medium")] if fine and _went_well(session) else []


def fast_resolution(session: Session) -> list[Signal]:
    quick = session[-1].at - session[0].at <= FAST_S and not _went_wrong(session)
    return [_signal(session, "fast_resolution", "low")] if quick and _went_well(session) else []


_LOOKS: tuple[Callable[[Session], list[Signal]], ...] = (
    failed_debug,
    inefficient_solution,
    wrong_tool,
    type_suppression,
    shotgun_debug,
    broken_state,
    quota_exhaustion_risk,
    efficient_debug,
    creative_solution,
    good_delegation,
    clean_refactor,
    fast_resolution,
)


def _ended(session: Session) -> bool | None:
    return next((event.ok for event in reversed(session) if event.kind == "end"), None)


def _went_well(session: Session) -> bool:
    return _ended(session) is True


def _went_wrong(session: Session) -> bool:
    return any(event.kind == "error" or event.ok is False for event in session)


def _edits_after_first_error(session: Session) -> int:
    first = next((at for at, event in enumerate(session) if event.kind == "error"), len(session))
    return sum(event.kind == "edit" for event in session[first:])


def _signal(session: Session, pattern: str, severity: str, **about: Any) -> Signal:
    return Signal(pattern, severity, session[0].session, session[-1].at, **about)

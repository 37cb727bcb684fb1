"""What was learned so far: a fold, so that every process at the same position gives the same advice."""

from collections.abc import Callable
from typing import Any

import msgspec

from ..ledger.events import Event
from ..router.events import AdviceGiven
from .events import (
    AdviceInvalidated,
    AgentKeyAdmitted,
    AgentKeyRevoked,
    GamingSuspected,
    PatternPinned,
    RecordAccepted,
    RecordsRejected,
    SigningModeChanged,
)
from .gaming import Run, is_claim, judge
from .patterns import WEIGHTS, Pattern, merge, strength
from .replay import Seen, remember

STRICT = "require-valid-signature"
# Patterns that are kept in all; when they are more, the faintest eighth goes.
MOST_PATTERNS = 4096
# Sessions whose arm is remembered, to know whom a record speaks of that names none.
MOST_SESSIONS = 4096
_VERDICTS = ("allow", "review", "block")


class AgentKey(msgspec.Struct):
    name: str
    public: str
    since: float
    revoked: float | None = None


class LearningState(msgspec.Struct):
    # How many events the stream holds: who writes says which version it has seen.
    version: int = 0
    mode: str = STRICT
    keys: dict[str, AgentKey] = {}
    seen: dict[str, Seen] = {}
    accepted: int = 0
    unverified: int = 0
    rejected: dict[str, int] = {}
    rejected_at: float = float("-inf")
    # By task type, then by what makes two records similar.
    tasks: dict[str, dict[str, Pattern]] = {}
    patterns: int = 0
    core: dict[str, list[str]] = {}
    runs: dict[str, Run] = {}
    verdicts: dict[str, int] = {}
    # Suspicions that nobody was told of yet: key, verdict, signs.
    untold: list[tuple[str, str, tuple[str, ...]]] = []
    sessions: dict[str, str] = {}
    # Moves whenever advice may have changed.
    epoch: int = 0


def fold(state: LearningState, event: Event) -> None:
    if type(event) is AdviceGiven:
        if event.session is not None:
            follow(state, event.session, event.arm)
        return
    state.version += 1
    _FOLDS[type(event)](state, event)


def _accept(state: LearningState, event: RecordAccepted) -> None:
    state.accepted += 1
    state.unverified += not event.verified
    seen = state.seen.get(event.key_id)
    if seen is None:
        seen = state.seen[event.key_id] = Seen()
    remember(seen, bytes.fromhex(event.digest), event.ts, event.at)
    if is_claim(event) and not _believed(state, event):
        return
    if event.pattern is not None and event.kind.endswith("-pattern"):
        _learn(state, event, event.pattern)


def _count_rejections(state: LearningState, event: RecordsRejected) -> None:
    state.rejected_at = event.at
    for reason, count in event.reasons.items():
        state.rejected[reason] = state.rejected.get(reason, 0) + count


def _invalidate(state: LearningState, _: AdviceInvalidated) -> None:
    state.epoch += 1


def _admit(state: LearningState, event: AgentKeyAdmitted) -> None:
    state.keys[event.key_id] = AgentKey(event.name, event.public, event.at)


def _revoke(state: LearningState, event: AgentKeyRevoked) -> None:
    state.keys[event.key_id].revoked = event.at


def _change_mode(state: LearningState, event: SigningModeChanged) -> None:
    state.mode = event.after


def _told(state: LearningState, event: GamingSuspected) -> None:
    state.untold = [one for one in state.untold if one[:2] != (event.key_id, event.verdict)]


def _believed(state: LearningState, event: RecordAccepted) -> bool:
    run = state.runs.get(event.key_id)
    if run is None:
        run = state.runs[event.key_id] = Run()
    verdict, signs = judge(run, event)
    state.verdicts[verdict] = state.verdicts.get(verdict, 0) + 1
    # Said once when it begins and once when it gets worse, until a claim is fine again.
    if _VERDICTS.index(verdict) > _VERDICTS.index(run.told):
        state.untold.append((event.key_id, verdict, signs))
        run.told = verdict
    elif verdict == "allow":
        run.told = verdict
    return verdict == "allow"


def _learn(state: LearningState, event: RecordAccepted, name: str) -> None:
    kept = state.tasks.get(event.task_type)
    if kept is None:
        kept = state.tasks[event.task_type] = {}
    arm = event.arm or state.sessions.get(event.session or "")
    similar = "\x1f".join(
        (name, event.repo or "", event.error_type or "", event.tool or "", event.place or "", arm or "")
    )
    at = min(event.ts, event.at)
    pattern = kept.get(similar)
    if pattern is not None:
        merge(pattern, event.severity, at, event.quota)
        return
    kept[similar] = Pattern(
        name=name,
        weight=WEIGHTS[event.severity],
        severity=event.severity,
        last=at,
        error_type=event.error_type,
        tool=event.tool,
        place=event.place,
        arm=arm,
        repo=event.repo,
        quota=event.quota,
        core=name in state.core.get(event.task_type, ()),
    )
    state.patterns += 1
    if state.patterns > MOST_PATTERNS:
        _forget_faintest(state, event.at)


def _forget_faintest(state: LearningState, now: float) -> None:
    """The faintest go first; a rule of the house never does."""
    faint = sorted(
        (strength(pattern, now), task_type, similar)
        for task_type, kept in state.tasks.items()
        for similar, pattern in kept.items()
        if not pattern.core
    )
    for _, task_type, similar in faint[: MOST_PATTERNS // 8]:
        del state.tasks[task_type][similar]
        state.patterns -= 1
        if not state.tasks[task_type]:
            del state.tasks[task_type]


def _pin(state: LearningState, event: PatternPinned) -> None:
    pinned = [name for name in state.core.get(event.task_type, []) if name != event.pattern]
    state.core[event.task_type] = [*pinned, event.pattern] if event.core else pinned
    for pattern in state.tasks.get(event.task_type, {}).values():
        if pattern.name == event.pattern:
            pattern.core = event.core


def follow(state: LearningState, session: str, arm: str) -> None:
    sessions = state.sessions
    if session not in sessions and len(sessions) >= MOST_SESSIONS:
        del sessions[next(iter(sessions))]
    sessions[session] = arm


_FOLDS: dict[type[Event], Callable[[LearningState, Any], None]] = {
    RecordAccepted: _accept,
    RecordsRejected: _count_rejections,
    AdviceInvalidated: _invalidate,
    AgentKeyAdmitted: _admit,
    AgentKeyRevoked: _revoke,
    SigningModeChanged: _change_mode,
    GamingSuspected: _told,
    PatternPinned: _pin,
}

"""The order of the plan: P0 is green and fresh, or nothing behind it moves on. Pure: state and `now` in, events out."""

from typing import Literal, NamedTuple

import msgspec

from ..errors import ControlPlaneError
from ..evidence.events import EvidenceRecorded, Result
from ..flags import explain
from ..flags.milestones import BRAKES, MILESTONES, Milestone
from ..ledger.events import Event
from .flag_events import FlagFlipped
from .milestone_events import MilestoneRolledBack, MilestoneThawed

DAY = 86_400.0
FRESH_S = 14 * DAY
ACTOR = "milestones"
# From the weakest to the strictest: whatever is not stricter than the brake is a brake too.
_SIGNING = ("off", "allow-unsigned", "require-signed", "require-valid-signature")
_FIRST = next(milestone for milestone in MILESTONES if milestone.priority == "P0")
_LAST = "P2"

Standing = Literal["green", "red", "stale", "missing"]


class MilestoneFrozen(ControlPlaneError):
    """A regression froze the milestone."""

    code = "milestone.frozen"


class EvidenceNotReady(ControlPlaneError):
    """Going strict asks for evidence that is missing, red or too old."""

    code = "milestone.evidence"


class Seen(msgspec.Struct, frozen=True):
    """The newest evidence of an item."""

    result: Result
    measured_at: float
    digest: str


class MilestoneState(msgspec.Struct):
    """`regressed`: items whose red evidence has rolled something back, with its digest. `version` is the stream's."""

    evidence: dict[str, Seen] = {}
    regressed: dict[str, str] = {}
    version: int = 0


class Answer(NamedTuple):
    """Whether something may go on; a refusal has a coded reason and names the items that stand in the way."""

    allowed: bool
    reason: Literal["ok", "unknown-item", "frozen", "evidence"]
    blocking: dict[str, Standing]


def fold(state: MilestoneState, event: Event) -> None:
    match event:
        case EvidenceRecorded():
            known = state.evidence.get(event.item)
            if known is None or known.measured_at <= event.measured_at:
                state.evidence[event.item] = Seen(event.result, event.measured_at, event.digest)
        case MilestoneRolledBack():
            state.regressed[event.item] = event.digest
            state.version += 1 + len(event.flipped)
        case MilestoneThawed():
            for item in event.items:
                state.regressed.pop(item, None)
            state.version += 1


def react(state: MilestoneState, now: float) -> list[Event]:
    """What follows from the evidence as it stands: a rollback for each P0 item that turned red, a thaw when none is."""
    events: list[Event] = []
    for item in _FIRST.items:
        seen = state.evidence.get(item)
        if seen is not None and seen.result == "red" and item not in state.regressed:
            events += _roll_back(item, seen.digest, now)
    if state.regressed and not events and all(_green(state, item) for item in state.regressed):
        events.append(
            MilestoneThawed(at=now, milestone=_FIRST.name, items=tuple(sorted(state.regressed)), thawed=_downstream())
        )
    return events


def standing(state: MilestoneState, item: str, now: float, fresh_s: float = FRESH_S) -> Standing:
    seen = state.evidence.get(item)
    if seen is None:
        return "missing"
    if seen.result == "red":
        return "red"
    return "green" if now - seen.measured_at <= fresh_s else "stale"


def frozen(state: MilestoneState) -> tuple[str, ...]:
    """The milestones that do not move on."""
    return _downstream() if _red(state) else ()


def may_go_strict(state: MilestoneState, item: str, now: float, fresh_s: float = FRESH_S) -> Answer:
    """A P0 item needs its own evidence not red, a P1 item no freeze, a P2 item all of P0 green and fresh besides."""
    milestone = milestone_of(item)
    if milestone is None:
        return Answer(allowed=False, reason="unknown-item", blocking={})
    red = _red(state)
    if milestone is _FIRST:
        red = {item: red[item]} if item in red else {}
    if red and milestone.priority:
        return Answer(allowed=False, reason="frozen", blocking=red)
    if milestone.priority != _LAST:
        return Answer(allowed=True, reason="ok", blocking={})
    found: dict[str, Standing] = {name: standing(state, name, now, fresh_s) for name in _FIRST.items}
    blocking: dict[str, Standing] = {name: seen for name, seen in found.items() if seen != "green"}
    return Answer(allowed=not blocking, reason="evidence" if blocking else "ok", blocking=blocking)


def may_flip(state: MilestoneState, name: str, value: str | None, now: float, fresh_s: float = FRESH_S) -> Answer:
    """Towards the brake always; away from it only when the item, or every item of the milestone, may go strict.

    A ledger in which no P0 item was ever measured does not follow the plan: there it may always be flipped.
    """
    if not any(item in state.evidence for item in _FIRST.items):
        return Answer(allowed=True, reason="ok", blocking={})
    wanted = explain(name, {}, {}).default if value is None else value.strip()
    for milestone in MILESTONES:
        if name == milestone.switch and milestone.priority:
            return Answer(True, "ok", {}) if _is_off(wanted) else _first_refusal(state, milestone, now, fresh_s)
    for item, brake in BRAKES.items():
        if name == brake.flag and not _brakes(wanted, brake.value):
            return may_go_strict(state, item, now, fresh_s)
    return Answer(allowed=True, reason="ok", blocking={})


def refuse(answer: Answer, what: str) -> None:
    """Raise what the answer says, in words."""
    if answer.allowed:
        return
    why = ", ".join(f"{item} is {seen}" for item, seen in answer.blocking.items())
    cure = f"run {' and '.join(answer.blocking)} again and `control-plane evidence record` what they write"
    if answer.reason == "unknown-item":
        raise EvidenceNotReady(f"{what} is no item of the plan", cure="see `control-plane evidence list`")
    if answer.reason == "frozen":
        raise MilestoneFrozen(f"{what} is frozen", why=why, cure=cure)
    raise EvidenceNotReady(f"{what} waits for P0", why=why, cure=cure)


def milestone_of(item: str) -> Milestone | None:
    return next((milestone for milestone in MILESTONES if item in milestone.items), None)


def _roll_back(item: str, digest: str, now: float) -> list[Event]:
    brake = BRAKES[item]
    flips = {brake.flag: brake.value, _FIRST.switch: "false"}
    reason = f"the evidence of {item} is red"
    return [
        MilestoneRolledBack(
            at=now, milestone=_FIRST.name, item=item, digest=digest, flipped=tuple(flips), frozen=_downstream()
        ),
        *(FlagFlipped(at=now, name=name, value=value, actor=ACTOR, reason=reason) for name, value in flips.items()),
    ]


def _first_refusal(state: MilestoneState, milestone: Milestone, now: float, fresh_s: float) -> Answer:
    answers = [may_go_strict(state, item, now, fresh_s) for item in milestone.items]
    return next((answer for answer in answers if not answer.allowed), answers[0])


def _red(state: MilestoneState) -> dict[str, Standing]:
    """P0 items whose newest evidence is red, and those that rolled something back and are not thawed yet."""
    return {
        item: "red"
        for item in _FIRST.items
        if item in state.regressed or ((seen := state.evidence.get(item)) is not None and seen.result == "red")
    }


def _green(state: MilestoneState, item: str) -> bool:
    seen = state.evidence.get(item)
    return seen is not None and seen.result == "green"


def _downstream() -> tuple[str, ...]:
    return tuple(milestone.name for milestone in MILESTONES[MILESTONES.index(_FIRST) + 1 :])


def _is_off(value: str) -> bool:
    return value.lower() in ("false", "0", "off", "no", "f", "n")


def _brakes(value: str, brake: str) -> bool:
    if brake in _SIGNING:
        return value in _SIGNING and _SIGNING.index(value) <= _SIGNING.index(brake)
    return _is_off(value) == _is_off(brake)

"""Where each policy stands and what is in force: a fold of what was decided about them."""

from hashlib import sha256

import msgspec

from ..ledger.events import Event
from ..router.events import CatalogueDeclared
from .events import (
    ArtifactRecorded,
    PolicyAdvanced,
    PolicyPaused,
    PolicyProposed,
    PolicyRefused,
    PolicyRolledBack,
)
from .flag_events import FlagFlipped

STAGES = ("draft", "simulated", "evaluated", "shadow", "canary", "enforce")
IN_FORCE = frozenset(("canary", "enforce"))
# Router policies that are remembered.
ROUTED = 8
# Artifacts of a policy that can still be named; older ones lie in the log alone.
KEPT = 4


class Standing(msgspec.Struct):
    """One policy at its newest revision."""

    policy_revision: int
    policy_hash: str
    document: str
    stage: str = "draft"
    share: float | None = None
    # The inconclusive artifact for which it waits for a better one.
    paused: str | None = None
    # What allowed the latest step.
    simulation: str = ""
    evaluation: str = ""
    # Envelopes by kind, then by digest, oldest first.
    artifacts: dict[str, dict[str, str]] = {}
    changed_at: float = 0.0
    changed_by: str = ""


class GovernanceState(msgspec.Struct):
    policies: dict[str, Standing] = {}
    flips: dict[str, str] = {}
    # Flags as they were flipped before a policy was enforced, so that its rollback brings them back.
    flips_before: dict[str, dict[str, str | None]] = {}
    # In the order in which they came to be enforced: the last one is in force.
    enforced: list[str] = []
    # How often what is in force has changed so far.
    revision: int = 0
    # How often arms and router policy have changed so far, as processes declared them.
    catalogue: int = 0
    arms: str = ""
    routed: list[str] = []
    accepted: int = 0
    refusals: dict[str, int] = {}


def fold(state: GovernanceState, event: Event) -> None:
    match event:
        case CatalogueDeclared():
            _declare(state, event)
        case PolicyProposed():
            _propose(state, event)
        case PolicyAdvanced():
            _advance(state, event)
        case PolicyRolledBack():
            _roll_back(state, event)
        case PolicyPaused():
            state.policies[event.policy].paused = event.artifact
        case ArtifactRecorded():
            kept = state.policies[event.policy].artifacts.setdefault(event.kind, {})
            kept.pop(event.digest, None)
            kept[event.digest] = event.envelope
            while len(kept) > KEPT:
                del kept[next(iter(kept))]
        case PolicyRefused():
            state.refusals[event.verdict] = state.refusals.get(event.verdict, 0) + 1
        case FlagFlipped():
            others = {name: value for name, value in state.flips.items() if name != event.name}
            # A new dict each time: who holds the old one may go on reading it.
            state.flips = others if event.value is None else others | {event.name: event.value}


def _declare(state: GovernanceState, event: CatalogueDeclared) -> None:
    arms = sha256(msgspec.json.encode(event.arms, order="sorted")).hexdigest()
    # While there is a canary, processes declare by turns its policy and the one beside it.
    turns = any(standing.stage == "canary" for standing in state.policies.values())
    known = state.routed if turns else state.routed[-1:]
    state.catalogue += arms != state.arms or event.policy_hash not in known
    state.arms = arms
    state.routed = [*(held for held in state.routed if held != event.policy_hash), event.policy_hash][-ROUTED:]


def _propose(state: GovernanceState, event: PolicyProposed) -> None:
    state.policies[event.policy] = Standing(
        event.policy_revision,
        event.policy_hash,
        event.document,
        changed_at=event.at,
        changed_by=event.actor,
    )


def _advance(state: GovernanceState, event: PolicyAdvanced) -> None:
    standing = state.policies[event.policy]
    state.accepted += 1
    standing.simulation, standing.evaluation = event.simulation, event.evaluation
    if event.after == "enforce":
        document = msgspec.json.decode(standing.document)
        state.flips_before[event.policy] = {name: state.flips.get(name) for name in document["flags"]}
        state.enforced.append(event.policy)
    _move(state, standing, event, event.share)


def _roll_back(state: GovernanceState, event: PolicyRolledBack) -> None:
    standing = state.policies[event.policy]
    if event.before == "enforce":
        state.enforced.remove(event.policy)
        del state.flips_before[event.policy]
    document = msgspec.json.decode(standing.document)
    _move(state, standing, event, document["canary_share"] if event.after == "canary" else None)


def _move(
    state: GovernanceState, standing: Standing, event: PolicyAdvanced | PolicyRolledBack, share: float | None
) -> None:
    state.revision += bool(IN_FORCE & {event.before, event.after})
    standing.stage, standing.share, standing.paused = event.after, share, None
    standing.changed_at, standing.changed_by = event.at, event.actor


def newest_revision(state: GovernanceState, name: str) -> int:
    """The number of the newest revision of a policy, 0 when there is none."""
    standing = state.policies.get(name)
    return standing.policy_revision if standing is not None else 0

"""Where each policy stands and what is in force, event by event."""

import json
from typing import Any

from control_plane.governance.events import (
    ArtifactRecorded,
    PolicyAdvanced,
    PolicyPaused,
    PolicyProposed,
    PolicyRefused,
    PolicyRolledBack,
)
from control_plane.governance.flag_events import FlagFlipped
from control_plane.governance.state import KEPT, ROUTED, GovernanceState, Standing, fold, newest_revision
from control_plane.ledger.events import Event
from control_plane.router.events import CatalogueDeclared
from control_plane.router.terms import Arm, Policy

DOCUMENT = json.dumps({"flags": {"A": "1", "B": "2"}, "canary_share": 0.25})


def filled(event: type[Any], **told: Any) -> Any:
    """The event with these facts, and with a word where it asks for more."""
    fields = (
        dict.fromkeys(event.__struct_fields__, "word")
        | {
            "policy": "p",
            "policy_revision": 1,
            "policy_hash": "h",
            "actor": "ann",
            "reason": "why",
            "at": 2.0,
        }
        | told
    )
    return event(**{name: fields[name] for name in event.__struct_fields__})


def proposed(revision: int = 1, at: float = 1.0) -> PolicyProposed:
    return filled(PolicyProposed, policy_revision=revision, policy_hash=f"h{revision}", document=DOCUMENT, at=at)


def advanced(before: str, then: str, share: float | None = None, at: float = 2.0) -> PolicyAdvanced:
    return filled(
        PolicyAdvanced, before=before, after=then, share=share, simulation="sim", evaluation="eval", at=at, actor="bob"
    )


def rolled_back(before: str, then: str) -> PolicyRolledBack:
    return filled(PolicyRolledBack, before=before, after=then, at=3.0, actor="eve")


def flipped(name: str, value: str | None) -> FlagFlipped:
    return filled(FlagFlipped, name=name, value=value, before=None)


def declared(*arms: str, policy_hash: str = "h") -> CatalogueDeclared:
    return CatalogueDeclared(
        at=1.0, arms=tuple(map(Arm, arms)), policy=Policy(), policy_hash=policy_hash, environment={}, declared="d"
    )


def after(*events: Event, state: GovernanceState | None = None) -> GovernanceState:
    state = state or GovernanceState()
    for event in events:
        fold(state, event)
    return state


def test_a_policy_is_proposed_and_a_new_revision_begins_anew() -> None:
    state = after(proposed(), advanced("draft", "simulated"))
    assert (newest_revision(state, "p"), newest_revision(state, "q")) == (1, 0)
    after(proposed(2, at=5.0), state=state)
    assert state.policies["p"] == Standing(2, "h2", DOCUMENT, changed_at=5.0, changed_by="ann")
    assert (newest_revision(state, "p"), state.accepted, state.revision) == (2, 1, 0)


def test_each_step_says_what_allowed_it_and_who_took_it() -> None:
    state = after(proposed(), filled(PolicyPaused, artifact="a1"))
    assert state.policies["p"].paused == "a1"
    after(advanced("draft", "simulated"), state=state)
    standing = state.policies["p"]
    assert (standing.stage, standing.simulation, standing.evaluation, standing.paused) == (
        "simulated", "sim", "eval", None,
    )  # fmt: skip
    assert (standing.changed_at, standing.changed_by, standing.share) == (2.0, "bob", None)
    assert (state.accepted, state.revision, state.enforced) == (1, 0, [])


def test_what_is_in_force_changes_with_canary_and_enforce() -> None:
    state = after(proposed(), advanced("evaluated", "shadow"))
    assert state.revision == 0
    after(advanced("shadow", "canary", 0.1), state=state)
    assert (state.revision, state.policies["p"].share) == (1, 0.1)
    after(flipped("A", "0"), advanced("canary", "enforce"), state=state)
    assert (state.revision, state.enforced, state.flips_before) == (2, ["p"], {"p": {"A": "0", "B": None}})
    after(rolled_back("enforce", "canary"), state=state)
    standing = state.policies["p"]
    assert (state.revision, state.enforced, state.flips_before) == (3, [], {})
    assert (standing.stage, standing.share, standing.changed_at, standing.changed_by) == ("canary", 0.25, 3.0, "eve")
    after(rolled_back("canary", "shadow"), state=state)
    assert (state.revision, state.policies["p"].share) == (4, None)
    after(rolled_back("shadow", "draft"), state=state)
    assert state.revision == 4


def test_flags_are_flipped_and_given_back_and_the_old_list_is_left_alone() -> None:
    state = after(flipped("A", "1"))
    held = state.flips
    after(flipped("B", "2"), flipped("A", None), flipped("C", None), state=state)
    assert (state.flips, held) == ({"B": "2"}, {"A": "1"})


def test_the_newest_artifacts_of_each_kind_are_kept() -> None:
    def recorded(digest: str, kind: str = "simulation") -> ArtifactRecorded:
        return filled(ArtifactRecorded, kind=kind, digest=digest, envelope=f"of {digest}")

    state = after(proposed(), *(recorded(f"d{number}") for number in range(KEPT)))
    assert list(state.policies["p"].artifacts["simulation"]) == [f"d{number}" for number in range(KEPT)]
    # Handed in again it is the newest.
    after(recorded("d0"), recorded("new"), recorded("e", "evaluation"), state=state)
    kept = state.policies["p"].artifacts
    assert list(kept["simulation"]) == [*(f"d{number}" for number in range(2, KEPT)), "d0", "new"]
    assert kept["evaluation"] == {"e": "of e"}


def test_refusals_are_counted_by_their_verdict() -> None:
    refused = filled(PolicyRefused, verdict="unsigned", after="simulated", kind="simulation")
    assert after(proposed(), refused, refused).refusals == {"unsigned": 2}


def test_the_catalogue_changes_when_arms_or_router_policy_do() -> None:
    state = after(declared("a"))
    assert state.catalogue == 1
    assert after(declared("a"), state=state).catalogue == 1
    assert after(declared("a", "b"), state=state).catalogue == 2
    assert after(declared("a", "b", policy_hash="i"), state=state).catalogue == 3
    # Back to the one before is a change as well, as long as nobody declares by turns.
    assert after(declared("a", "b"), state=state).catalogue == 4
    assert state.routed == ["i", "h"]


def test_beside_a_canary_two_policies_are_declared_by_turns() -> None:
    state = after(declared("a"), proposed(), advanced("shadow", "canary", 0.1), declared("a", policy_hash="i"))
    assert state.catalogue == 2
    after(declared("a"), declared("a", policy_hash="i"), state=state)
    assert state.catalogue == 2
    after(*(declared("a", policy_hash=f"j{number}") for number in range(ROUTED)), state=state)
    assert (len(state.routed), state.catalogue) == (ROUTED, 2 + ROUTED)
    assert after(declared("a"), state=state).catalogue == 3 + ROUTED


def test_empty_is_empty() -> None:
    state = GovernanceState()
    assert (state.revision, state.catalogue, state.accepted, state.arms, state.enforced) == (0, 0, 0, "", [])
    assert (Standing(1, "h", "{}").stage, Standing(1, "h", "{}").changed_at) == ("draft", 0.0)

"""What tests of policies share: a site with a policy on it, and the word that a gate answers."""

from collections.abc import Callable

from control_plane.governance.events import PolicyAdvanced, PolicyPaused, PolicyRefused, PolicyRolledBack
from control_plane.governance.rules import StepRefused
from control_plane.ledger.events import Event
from control_plane.proving.attempts import Attempts
from control_plane.proving.gates import ACTOR, WHY, Site

STAGES = ("draft", "simulated", "evaluated", "shadow", "canary", "enforce")
BY = {"actor": ACTOR, "reason": WHY}


def word(step: Callable[[], object]) -> str:
    """The gate's one word for a step."""
    try:
        step()
    except StepRefused as fault:
        return fault.verdict
    return "ok"


def climb(at: Site, to: str, name: str = "careful") -> None:
    """Up to a stage, each step with artifacts of its own."""
    while (stage := at.plane.policies.show(name).stage) != to:
        at.advance(STAGES[STAGES.index(stage) + 1], name, **fresh(at, name))


def fresh(at: Site, name: str = "careful") -> dict[str, bytes]:
    return {kind: Attempts(at.plane, name, kind, at.keys, 5).good() for kind in ("simulation", "evaluation")}


def written(at: Site, *kinds: type[Event]) -> list[Event]:
    kinds = kinds or (PolicyAdvanced, PolicyRolledBack, PolicyPaused, PolicyRefused)
    return [found.event for found in at.plane.ledger.read(0, 1_000_000) if isinstance(found.event, kinds)]

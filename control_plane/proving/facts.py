"""Every fact that an artifact is bound to, changed one at a time, and the word with which the gate must notice."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..ledger.key_changes import rotate
from ..plane import ControlPlane
from ..router.terms import Arm
from .attempts import Attempts
from .gates import ACTOR, OTHER, WHY, Site


class Change(NamedTuple):
    """How to change one fact, and what the gate says of it after its own name."""

    make: Callable[[Site], None]
    verdict: str


def _content(at: Site) -> None:
    at.propose(note="changed")


def _revision(at: Site) -> None:
    """The same content once more, after another one."""
    at.propose(note="changed")
    at.propose()


def _rolled_back(at: Site) -> None:
    at.advance("simulated", simulation=Attempts(at.plane, "careful", "simulation", at.keys, 7).good())
    at.rollback()


def _in_force(at: Site) -> None:
    """Another policy becomes the canary."""
    at.propose(OTHER)
    simulation, evaluation = (
        Attempts(at.plane, OTHER, kind, at.keys, 7).good() for kind in ("simulation", "evaluation")
    )
    for stage in ("simulated", "evaluated", "shadow", "canary"):
        at.advance(stage, OTHER, simulation=simulation, evaluation=evaluation)


def _flag(at: Site) -> None:
    at.plane.flips.flip("OPENCODE_TAIL_SLO", "false", actor=ACTOR, reason=WHY)


def _catalogue(at: Site) -> None:
    arms = [Arm("acme/one"), Arm("acme/two"), Arm("acme/three")]
    with ControlPlane.open(at.home, catalogue=arms, clock=at.clock, background=False):
        pass


def _history(at: Site) -> None:
    for _ in range(1_001):
        at.plane.record_result(arm="acme/one", success=True)
    at.plane.flush()


def _time(at: Site) -> None:
    at.clock.pass_by(24 * 3600.0 + 1.0)


def _key(at: Site) -> None:
    with at.opened() as opened:
        rotate(opened)


CHANGES: Mapping[str, Change] = {
    "its content": Change(_content, "other_hash"),
    "its revision": Change(_revision, "other_revision"),
    "its own way back": Change(_rolled_back, "stale_rolled_back"),
    "what is in force": Change(_in_force, "stale_active_revision"),
    "a flag": Change(_flag, "stale_flags"),
    "the catalogue": Change(_catalogue, "stale_catalogue"),
    "the history": Change(_history, "stale_history"),
    "the time": Change(_time, "stale_age"),
    "the key": Change(_key, "revoked_key"),
}

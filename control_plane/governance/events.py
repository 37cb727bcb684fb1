"""What can happen to a policy. Every step names its actor and reason, and carries the signature of who made it."""

from typing import ClassVar

from ..ledger.events import Event
from .flag_events import FlagFlipped


class PolicyProposed(Event, frozen=True, kw_only=True):
    """A new revision of a policy, a draft; `document` is its canonical JSON, `policy_hash` the SHA-256 of that."""

    TOPIC: ClassVar[str] = "policy.proposed"
    policy: str
    policy_revision: int
    policy_hash: str
    document: str
    actor: str
    reason: str
    envelope: str


class PolicyAdvanced(Event, frozen=True, kw_only=True):
    """One step on; `simulation` and `evaluation` the artifacts that allowed it, `waived` the gates that were off."""

    TOPIC: ClassVar[str] = "policy.advanced"
    policy: str
    policy_revision: int
    policy_hash: str
    before: str
    after: str
    actor: str
    reason: str
    envelope: str
    share: float | None = None
    simulation: str = ""
    evaluation: str = ""
    waived: tuple[str, ...] = ()


class PolicyRolledBack(Event, frozen=True, kw_only=True):
    """One step back; it needs no artifact."""

    TOPIC: ClassVar[str] = "policy.rolled-back"
    policy: str
    policy_revision: int
    policy_hash: str
    before: str
    after: str
    actor: str
    reason: str
    envelope: str


class PolicyPaused(Event, frozen=True, kw_only=True):
    """An artifact neither condemned the policy nor carried it; it waits where it is for another one."""

    TOPIC: ClassVar[str] = "policy.paused"
    policy: str
    policy_revision: int
    policy_hash: str
    stage: str
    verdict: str
    artifact: str
    actor: str
    reason: str
    envelope: str


class ArtifactRecorded(Event, frozen=True, kw_only=True):
    """A simulation or an evaluation as it was handed in, under its producer's own signature."""

    TOPIC: ClassVar[str] = "policy.artifact-recorded"
    policy: str
    kind: str
    digest: str
    envelope: str


class PolicyRefused(Event, frozen=True, kw_only=True):
    """A step that a gate did not allow, and its one word for why."""

    TOPIC: ClassVar[str] = "policy.refused"
    policy: str
    policy_hash: str
    to: str
    verdict: str
    actor: str


EVENTS: tuple[type[Event], ...] = (
    PolicyProposed,
    PolicyAdvanced,
    PolicyRolledBack,
    PolicyPaused,
    ArtifactRecorded,
    PolicyRefused,
    FlagFlipped,
)

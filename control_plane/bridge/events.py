"""What can happen on the bridge. Whoever did it is named in each fact, so that the log is the audit."""

from typing import Any, ClassVar

import msgspec

from ..ledger.events import Event
from .terms import JobStatus, Kind, Status, Step, ThreadType


class BridgeEvent(Event, frozen=True, kw_only=True):
    """`request` is the id of the call that led to it, and leads from there to the wake."""

    workspace: str
    actor: str
    role: str = "system"
    request: str = ""


class ThreadCreated(BridgeEvent, frozen=True, kw_only=True):
    """A thread begins with those who take part in it."""

    TOPIC: ClassVar[str] = "bridge.thread-created"
    thread: str
    title: str
    kind: ThreadType
    participants: tuple[str, ...]


class ThreadStatusChanged(BridgeEvent, frozen=True, kw_only=True):
    """`guard` names the rule that blocked it, when nobody did."""

    TOPIC: ClassVar[str] = "bridge.thread-status-changed"
    thread: str
    before: Status
    status: Status
    reason: str
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    guard: str = ""


class ParticipantAdded(BridgeEvent, frozen=True, kw_only=True):
    """Somebody takes part from now on, and may read what was said before."""

    TOPIC: ClassVar[str] = "bridge.participant-added"
    thread: str
    agent: str


class ParticipantRemoved(BridgeEvent, frozen=True, kw_only=True):
    """Somebody takes part no more."""

    TOPIC: ClassVar[str] = "bridge.participant-removed"
    thread: str
    agent: str


class MessagePosted(BridgeEvent, frozen=True, kw_only=True):
    """A message with its place in the thread; `digest` is of its payload, for repeats of one idempotency key."""

    TOPIC: ClassVar[str] = "bridge.message-posted"
    thread: str
    message: str
    seq: int
    kind: Kind
    body: str
    schema_version: int = 1
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    in_reply_to: str | None = None
    to: tuple[str, ...] = ()
    key: str | None = None
    digest: str = ""


class CursorMoved(BridgeEvent, frozen=True, kw_only=True):
    """An agent has settled everything up to here."""

    TOPIC: ClassVar[str] = "bridge.cursor-moved"
    thread: str
    agent: str
    last_read_seq: int
    last_acked_message: str | None = None


class SessionSeen(BridgeEvent, frozen=True, kw_only=True):
    """A heartbeat of an agent's session."""

    TOPIC: ClassVar[str] = "bridge.session-seen"
    agent: str
    session: str
    runtime: str
    managed: bool
    resumable: bool
    status: str


class JobEvent(BridgeEvent, frozen=True, kw_only=True):
    """Something about one wake."""

    thread: str
    job: str


class WakeQueued(JobEvent, frozen=True, kw_only=True):
    """Somebody is to be woken for everything up to `seq`; `cause` is the message or the call that asked for it."""

    TOPIC: ClassVar[str] = "bridge.wake-queued"
    target: str
    reason: str
    prompt: str
    seq: int
    cause: str = ""


class WakeClaimed(JobEvent, frozen=True, kw_only=True):
    """A supervisor is about to act; nobody else may until the lease ends."""

    TOPIC: ClassVar[str] = "bridge.wake-claimed"
    attempt: int
    step: Step
    holder: str
    session: str
    runtime: str
    lease_until: float


class WakeSent(JobEvent, frozen=True, kw_only=True):
    """The runtime took it; now an acknowledgement is waited for."""

    TOPIC: ClassVar[str] = "bridge.wake-sent"
    attempt: int
    ack_by: float


class WakeDeferred(JobEvent, frozen=True, kw_only=True):
    """Not now: a person is typing there, or there were too many."""

    TOPIC: ClassVar[str] = "bridge.wake-deferred"
    attempt: int
    reason: str
    until: float


class WakeDelivered(JobEvent, frozen=True, kw_only=True):
    """The target acknowledged: by its cursor, a heartbeat or a marker."""

    TOPIC: ClassVar[str] = "bridge.wake-delivered"
    attempt: int
    by: str


class WakeFailed(JobEvent, frozen=True, kw_only=True):
    """An attempt came to nothing; the next one, if any, is at `retry_at` and takes `step`."""

    TOPIC: ClassVar[str] = "bridge.wake-failed"
    attempt: int
    reason: str
    status: JobStatus
    step: Step
    retry_at: float


class WakeDied(JobEvent, frozen=True, kw_only=True):
    """Nothing more is tried; the senders are told."""

    TOPIC: ClassVar[str] = "bridge.wake-died"
    attempt: int
    reason: str


class ThreadArchived(BridgeEvent, frozen=True, kw_only=True):
    """A closed thread is served no more; the log keeps it."""

    TOPIC: ClassVar[str] = "bridge.thread-archived"
    thread: str
    reason: str


class FeedbackGiven(BridgeEvent, frozen=True, kw_only=True):
    """What an operator says about a block or a wake afterwards."""

    TOPIC: ClassVar[str] = "bridge.feedback-given"
    thread: str
    verdict: str
    note: str = ""


class CallRefused(BridgeEvent, frozen=True, kw_only=True):
    """A call that was refused, with the checks that it passed before; `count` of them since the last such event."""

    TOPIC: ClassVar[str] = "bridge.call-refused"
    operation: str
    code: str
    trace: tuple[str, ...] = ()
    thread: str = ""
    count: int = 1


EVENTS: tuple[type[Event], ...] = (
    ThreadCreated, ThreadStatusChanged, ParticipantAdded, ParticipantRemoved, MessagePosted, CursorMoved, SessionSeen,
    WakeQueued, WakeClaimed, WakeSent, WakeDeferred, WakeDelivered, WakeFailed, WakeDied, ThreadArchived,
    FeedbackGiven, CallRefused,
)  # fmt: skip

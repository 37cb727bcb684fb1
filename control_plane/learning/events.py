"""What can happen to what was learned. Features and digests, never the text of a prompt."""

from typing import ClassVar

from ..ledger.events import Event

STREAM = "learning"


class AgentKeyAdmitted(Event, frozen=True, kw_only=True):
    """An agent's Ed25519 key (`public`, base64) may sign records from here on, under this name."""

    TOPIC: ClassVar[str] = "learning.key-admitted"
    name: str
    key_id: str
    public: str


class AgentKeyRevoked(Event, frozen=True, kw_only=True):
    """From here on no record signed with that key is let in."""

    TOPIC: ClassVar[str] = "learning.key-revoked"
    name: str
    key_id: str
    reason: str


class RecordAccepted(Event, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A record that was let in: who signed it, what it says, and, where it holds nothing but features, its envelope.

    `key_id` is empty and `verified` false where the signing mode asked for no valid signature.
    """

    TOPIC: ClassVar[str] = "learning.record-accepted"
    digest: str
    ts: float
    kind: str
    task_type: str
    severity: str
    trace_id: str
    key_id: str = ""
    verified: bool = False
    pattern: str | None = None
    session: str | None = None
    repo: str | None = None
    arm: str | None = None
    tool: str | None = None
    error_type: str | None = None
    place: str | None = None
    attempt: int = 0
    success: bool | None = None
    lines_changed: int | None = None
    tokens: int | None = None
    metric: float | None = None
    quota: float = 0.0
    envelope: str = ""


class RecordsRejected(Event, frozen=True, kw_only=True):
    """Records that were not let in, counted by reason since the last such event: a flood is a few lines."""

    TOPIC: ClassVar[str] = "learning.record-rejected"
    mode: str
    reasons: dict[str, int]


class AdviceInvalidated(Event, frozen=True, kw_only=True):
    """Advice for these task types (and repos; none: all) that was compiled before this is stale."""

    TOPIC: ClassVar[str] = "learning.advice-invalidated"
    task_types: tuple[str, ...]
    repos: tuple[str, ...]
    records: int


class SigningModeChanged(Event, frozen=True, kw_only=True):
    """Another signing mode than before; `weakened` makes this a warning."""

    TOPIC: ClassVar[str] = "learning.signing-mode-changed"
    before: str
    after: str
    weakened: bool
    severity: str


class GamingSuspected(Event, frozen=True, kw_only=True):
    """A run of successes looks too good: it does not count, and somebody should look (review) or need not (block)."""

    TOPIC: ClassVar[str] = "learning.gaming-suspected"
    key_id: str
    verdict: str
    signs: tuple[str, ...]


class PatternPinned(Event, frozen=True, kw_only=True):
    """Somebody made this pattern of a task type a rule of the house (or took that back): it does not fade."""

    TOPIC: ClassVar[str] = "learning.pattern-pinned"
    task_type: str
    pattern: str
    core: bool
    actor: str


EVENTS: tuple[type[Event], ...] = (
    AgentKeyAdmitted,
    AgentKeyRevoked,
    RecordAccepted,
    RecordsRejected,
    AdviceInvalidated,
    SigningModeChanged,
    GamingSuspected,
    PatternPinned,
)

"""What can happen to a turn of OpenCode. Ids, sizes, hashes and paths; never a prompt, an answer or a key."""

from typing import ClassVar

import msgspec

from ..ledger.events import Event


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What OpenCode's own message says that a step took; `quota` counts requests that a subscription pays."""

    cost_usd: float = 0.0
    tokens_in: float = 0
    tokens_out: float = 0
    tokens_reasoning: float = 0
    cache_read: float = 0
    cache_write: float = 0
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    quota: int = 0


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a session and a day may take: dollars where they are paid, requests where a subscription pays."""

    session_usd: float | None = None
    day_usd: float | None = None
    session_requests: int | None = None
    day_requests: int | None = None


class TurnBegun(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody asked something. `picked` says who chose the model: auto, hand, agent or default."""

    TOPIC: ClassVar[str] = "turns.turn-begun"
    turn: str
    session: str
    task_type: str
    picked: str
    used: str
    advised: str
    decision: str | None = None
    advised_decision: str | None = None
    reason: str = ""
    parent: str | None = None
    agent: str | None = None
    directory: str = ""
    prompt_sha256: str = ""
    prompt_bytes: int = 0
    context_tokens: int = 0
    candidates: tuple[str, ...] = ()
    held: str | None = None
    gain_usd: float | None = None
    toll_usd: float | None = None
    cautious: bool = True
    estimate_usd: float | None = None


class TurnUnadvised(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A turn under auto went on without advice, with the model that OpenCode would have used anyway; and why."""

    TOPIC: ClassVar[str] = "turns.turn-unadvised"
    turn: str
    session: str
    reason: str


class StepTaken(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of a model, as OpenCode's message tells it."""

    TOPIC: ClassVar[str] = "turns.step-taken"
    turn: str
    session: str
    message: str
    model: str
    usage: Usage
    finish: str | None = None
    error: str | None = None


class TurnMoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A model failed in the middle of a turn, and the turn went on with another; or stayed, and why."""

    TOPIC: ClassVar[str] = "turns.turn-moved"
    turn: str
    session: str
    failed: str
    error: str
    to: str | None = None
    decision: str | None = None
    attempt: int = 1
    effects: bool = False
    reason: str = ""


class TurnEnded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The session fell idle: the turn is over, which says nothing about whether it was any good."""

    TOPIC: ClassVar[str] = "turns.turn-ended"
    turn: str
    session: str
    model: str
    usage: Usage
    steps: int = 0
    error: str | None = None
    effects: bool = False


class TurnJudged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a turn: good, bad, or reverted, which is only weak evidence against it."""

    TOPIC: ClassVar[str] = "turns.turn-judged"
    turn: str
    session: str
    verdict: str
    source: str


class LimitReached(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A limit was nearly reached (80 %), or the step that would have crossed it did not start."""

    TOPIC: ClassVar[str] = "turns.limit-reached"
    session: str
    limit: str
    spent: float
    most: float
    stopped: bool = False


class AutoSwitched(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody turned auto on or off; while it is off, nothing that OpenCode does is changed."""

    TOPIC: ClassVar[str] = "turns.auto-switched"
    on: bool
    actor: str
    incumbent: str | None = None


class SamplesSwitched(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody wants the beginnings of prompts kept, redacted, or wants that to end."""

    TOPIC: ClassVar[str] = "turns.samples-switched"
    on: bool
    actor: str


class SampleKept(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The redacted beginning of a turn's prompt; only while somebody has asked for such samples."""

    TOPIC: ClassVar[str] = "turns.sample-kept"
    turn: str
    session: str
    text: str


class LimitsSet(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody said what a session and a day may take."""

    TOPIC: ClassVar[str] = "turns.limits-set"
    limits: Limits
    actor: str


class PastStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer of a model from OpenCode's own history."""

    message: str
    turn: str
    session: str
    model: str
    at: float
    usage: Usage
    agent: str | None = None
    error: str | None = None


class HistoryImported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Answers from before the plugin, read from OpenCode's history; nothing is assumed of their success."""

    TOPIC: ClassVar[str] = "turns.history-imported"
    source: str
    steps: tuple[PastStep, ...]


EVENTS: tuple[type[Event], ...] = (
    TurnBegun,
    TurnUnadvised,
    StepTaken,
    TurnMoved,
    TurnEnded,
    TurnJudged,
    LimitReached,
    AutoSwitched,
    SamplesSwitched,
    SampleKept,
    LimitsSet,
    HistoryImported,
)

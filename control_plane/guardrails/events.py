"""What can happen to the guardrails. Paths, names and digests; never a prompt, never what was to be written."""

from typing import ClassVar

import msgspec

from ..ledger.events import Event
from .rulefile import Problem, Rule
from .terms import Decision, Label, Mode


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file that a call would write: its path in the project, its other names, and what was seen of it.

    `content` names the rules whose content patterns match; `unseen` says that the content could not be looked at;
    `markers` stand in the file since before the session, `adds` are those that the call itself would write.
    """

    path: str
    aliases: tuple[str, ...] = ()
    via: str = "edit"
    created: bool = False
    unseen: bool = False
    content: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that one decision rests on, apart from the rules, the modes and the session's past."""

    event: str
    session: str
    tool: str = ""
    client: str = ""
    targets: tuple[Target, ...] = ()
    opaque: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    input_digest: str = ""
    input_bytes: int = 0
    brake: Mode | None = None
    enforce: Mode | None = None
    families: tuple[str, ...] = ()


class Hit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule that spoke: what it would decide, what it does decide in its mode, and why it may be passed over."""

    rule: str
    family: str
    path: str
    mode: Mode
    would: Decision
    live: Decision
    scope: str = ""
    skip: str = ""
    why: str = ""


class Decided(Event, frozen=True, kw_only=True):
    """One check, with every input that it used, so that it can be decided again."""

    TOPIC: ClassVar[str] = "guard.decided"
    decision: str
    rules: str
    position: int
    told: Mode | None
    families: tuple[str, ...]
    seen: Observation
    hits: tuple[Hit, ...]
    live: Decision
    would: Decision
    skip: str = ""


class RulesLoaded(Event, frozen=True, kw_only=True):
    """A version of the rules came into force; the rules themselves, so that old decisions can be repeated."""

    TOPIC: ClassVar[str] = "guard.rules-loaded"
    version: str
    source: str
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...] = ()


class RulesRefused(Event, frozen=True, kw_only=True):
    """A rules file could not be used; `kept` is the version that stays in force."""

    TOPIC: ClassVar[str] = "guard.rules-refused"
    source: str
    digest: str
    reason: str
    kept: str


class ModeChanged(Event, frozen=True, kw_only=True):
    """A family went up, or down, in one scope; the figures that allowed or forced it stand beside it."""

    TOPIC: ClassVar[str] = "guard.mode-changed"
    family: str
    scope: str
    mode: Mode
    cause: str
    actor: str
    clean: int = 0
    false: int = 0
    bound: float = 1.0
    target: float = 0.05


class PromotionDenied(Event, frozen=True, kw_only=True):
    """Somebody asked for a promotion that the figures do not bear."""

    TOPIC: ClassVar[str] = "guard.promotion-denied"
    family: str
    scope: str
    actor: str
    clean: int
    false: int
    bound: float
    target: float


class HitLabelled(Event, frozen=True, kw_only=True):
    """A person says what one hit was worth; a later word replaces an earlier one."""

    TOPIC: ClassVar[str] = "guard.hit-labelled"
    decision: str
    rule: str
    label: Label
    actor: str
    note: str = ""


class ToolFinished(Event, frozen=True, kw_only=True):
    """A tool ran: which files it edited, which skill it applied."""

    TOPIC: ClassVar[str] = "guard.tool-finished"
    session: str
    tool: str
    edited: tuple[str, ...] = ()
    skill: str = ""


class SwitchedOff(Event, frozen=True, kw_only=True):
    """A person took the guardrails out for a while; `began` is when, which may be long before it got here."""

    TOPIC: ClassVar[str] = "guard.switched-off"
    began: float
    until: float
    actor: str


class SwitchedOn(Event, frozen=True, kw_only=True):
    """They are back before the time was over."""

    TOPIC: ClassVar[str] = "guard.switched-on"
    actor: str


class HookFailed(Event, frozen=True, kw_only=True):
    """A hook could not decide; the call went on, or not, as `went_on` says, and never silently."""

    TOPIC: ClassVar[str] = "guard.hook-failed"
    session: str
    event: str
    tool: str
    reason: str
    went_on: bool


class StopModeChanged(Event, frozen=True, kw_only=True):
    """How stop checks are run in one scope: planned or executed, how many, how long."""

    TOPIC: ClassVar[str] = "guard.stop-mode-changed"
    scope: str
    mode: str
    actor: str
    max_commands: int | None = None
    timeout_s: float | None = None
    include_test: bool | None = None


class StopPlanned(Event, frozen=True, kw_only=True):
    """What would be checked, or is about to be."""

    TOPIC: ClassVar[str] = "guard.stop-planned"
    plan: str
    session: str
    mode: str
    commands: tuple[tuple[str, ...], ...]
    roots: tuple[str, ...]
    dropped: int = 0


class StopChecked(Event, frozen=True, kw_only=True):
    """One check ran, or was killed when its time was over."""

    TOPIC: ClassVar[str] = "guard.stop-checked"
    plan: str
    session: str
    root: str
    command: tuple[str, ...]
    kind: str
    outcome: str
    exit_code: int | None
    seconds: float
    output_bytes: int
    output_digest: str


class StopAnswered(Event, frozen=True, kw_only=True):
    """The session was sent back to work because of `cause`, or let go because it had been often enough."""

    TOPIC: ClassVar[str] = "guard.stop-answered"
    session: str
    cause: str
    blocked: bool
    round: int


class ReportWritten(Event, frozen=True, kw_only=True):
    """A report was made; the file may go, its digest stays."""

    TOPIC: ClassVar[str] = "guard.report-written"
    kind: str
    digest: str
    figures: dict[str, float] = msgspec.field(default_factory=dict)


class RulesTuned(Event, frozen=True, kw_only=True):
    """A change of one rule was replayed over history, and applied or only proposed."""

    TOPIC: ClassVar[str] = "guard.rules-tuned"
    rule: str
    before: str
    after: str
    applied: bool
    decisions: int
    false_before: int
    false_after: int
    true_before: int
    true_after: int
    actor: str


EVENTS: tuple[type[Event], ...] = (
    Decided, RulesLoaded, RulesRefused, ModeChanged, PromotionDenied, HitLabelled, ToolFinished, SwitchedOff,
    SwitchedOn,
    HookFailed, StopModeChanged, StopPlanned, StopChecked, StopAnswered, ReportWritten, RulesTuned,
)  # fmt: skip

"""What can happen to a plugin: it is observed, and its runtime state changes."""

from typing import ClassVar, Literal

from ..ledger.events import Event

Health = Literal["unknown", "healthy", "degraded", "quarantine"]
Reason = Literal[
    "healthy", "not-discovered", "dependency-break", "policy-violation", "crash-loop", "missing-heartbeat", "released"
]


class PluginObserved(Event, frozen=True, kw_only=True):
    """What was seen of a plugin, and what follows from it; written when either changes."""

    TOPIC: ClassVar[str] = "plugin.observed"
    plugin: str
    configured: bool
    discovered: bool
    heartbeat_ok: bool
    dependency_ok: bool
    policy_violation: bool
    crash_count: int
    last_error: str
    state: Health
    reason: Reason


class PluginReleased(Event, frozen=True, kw_only=True):
    """A person let a plugin out of quarantine: crashes and violations are counted anew."""

    TOPIC: ClassVar[str] = "plugin.released"
    plugin: str
    actor: str
    reason: str


EVENTS: tuple[type[Event], ...] = (PluginObserved, PluginReleased)

"""The audit: every fact of the bridge as one row, and a record of refusals that cannot be flooded."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..clock import Clock
from ..ledger.events import Event
from ..ledger.ledger import Recorded
from ..redacting import without_secrets
from ..sparing import Sparing
from .events import BridgeEvent, CallRefused, JobEvent, SessionSeen
from .requests import REQUESTS
from .rules import Actor

_OPERATIONS = {
    "bridge.thread-created": "create_thread",
    "bridge.thread-status-changed": "update_thread_status",
    "bridge.participant-added": "add_participant",
    "bridge.participant-removed": "remove_participant",
    "bridge.message-posted": "post_message",
    "bridge.cursor-moved": "ack_read",
    "bridge.session-seen": "heartbeat_session",
    "bridge.wake-queued": "trigger_participant",
    "bridge.thread-archived": "archive_thread",
    "bridge.feedback-given": "give_feedback",
}
_OF_EVERY = {"at", "workspace", "actor", "role", "request"}


class Refusals:
    """The first of a kind is written at once, the next ones by their count, once a second."""

    def __init__(self, record: Callable[[Event], None], clock: Clock) -> None:
        self._record, self._clock = record, clock
        self._sparing = Sparing[tuple[str, str, str]]()

    def refused(self, actor: Actor, operation: str, code: str, trace: tuple[str, ...], thread: str) -> None:
        # Methods that do not exist are one kind, or their names could flood the log.
        kind, now = (actor.agent[:128], operation if operation in REQUESTS else "unknown", code), self._clock.now()
        if count := self._sparing.due(kind, now):
            self._record(
                CallRefused(
                    at=now, workspace=(actor.workspace or "")[:128], actor=kind[0], role=actor.role,
                    request=actor.request, operation=kind[1], code=code, trace=trace,
                    thread=without_secrets(thread[:128]),
                    count=count,
                )
            )  # fmt: skip

    def flush(self) -> None:
        """Write what was only counted so far."""
        now = self._clock.now()
        for (agent, operation, code), count in self._sparing.rest():
            self._record(CallRefused(at=now, workspace="", actor=agent, operation=operation, code=code, count=count))


def audit_row(recorded: Recorded) -> dict[str, Any] | None:
    """One row of the audit, or None for what another room wrote."""
    event = recorded.event
    if not isinstance(event, BridgeEvent):
        return None
    facts = {key: value for key, value in msgspec.to_builtins(event).items() if key not in _OF_EVERY}
    facts.pop("v", None)
    refused = isinstance(event, CallRefused)
    kind, name = _resource(event)
    return {
        "event_id": f"evt_{recorded.position}",
        "workspace_id": event.workspace,
        "actor_agent_id": event.actor,
        "actor_role": event.role,
        "operation": event.operation if isinstance(event, CallRefused) else _operation(event),
        "resource_type": kind,
        "resource_id": name,
        "thread_id": getattr(event, "thread", "") or None,
        "request_id": event.request or None,
        "result": event.code if refused and isinstance(event, CallRefused) else "ok",
        "payload": facts,
        "created_at": iso(event.at),
    }


def _operation(event: BridgeEvent) -> str:
    return _OPERATIONS.get(event.TOPIC, event.TOPIC.removeprefix("bridge.").replace("-", "_"))


def _resource(event: BridgeEvent) -> tuple[str, str]:
    if isinstance(event, JobEvent):
        return "trigger_job", event.job
    if isinstance(event, SessionSeen):
        return "session", event.session
    message = getattr(event, "message", "")
    return ("message", message) if message else ("thread", getattr(event, "thread", ""))


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

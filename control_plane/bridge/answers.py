"""What callers get, method by method; the fields of the first version stay, later ones are added."""

from typing import Any

import msgspec


class ThreadBegun(msgspec.Struct, frozen=True):
    thread_id: str
    status: str
    created_at: str


class ThreadStands(msgspec.Struct, frozen=True, omit_defaults=True):
    thread_id: str
    workspace_id: str
    title: str
    type: str
    status: str
    participants: list[str]
    created_at: str
    updated_at: str
    last_seq: int
    cursors: dict[str, int] = {}
    undeliverable: list[dict[str, Any]] = []


class StatusChanged(msgspec.Struct, frozen=True):
    thread_id: str
    previous_status: str
    status: str
    updated_at: str


class Summary(msgspec.Struct, frozen=True):
    summary: str
    open_items: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    participants: list[str]
    last_status: str
    waited_for: list[dict[str, Any]] = []


class Posted(msgspec.Struct, frozen=True):
    message_id: str
    seq: int
    thread_status: str
    created_at: str


class Page(msgspec.Struct, frozen=True):
    messages: list[dict[str, Any]]
    next_seq: int
    has_more: bool


class Acknowledged(msgspec.Struct, frozen=True):
    ok: bool
    updated_at: str


class Beaten(msgspec.Struct, frozen=True):
    ok: bool
    recorded_at: str


class Triggered(msgspec.Struct, frozen=True, omit_defaults=True):
    trigger_id: str
    target_agent_id: str
    action: str
    result: str
    job_status: str
    stale_session: bool
    triggered_at: str
    fallback_action: str | None = None
    fallback_reason: str | None = None
    target_session_id: str | None = None
    runtime: str | None = None
    management_mode: str | None = None
    session_status: str | None = None


ANSWERS: dict[str, type[msgspec.Struct]] = {
    "create_thread": ThreadBegun,
    "get_thread": ThreadStands,
    "update_thread_status": StatusChanged,
    "summarize_thread": Summary,
    "post_message": Posted,
    "read_messages": Page,
    "ack_read": Acknowledged,
    "heartbeat_session": Beaten,
    "trigger_participant": Triggered,
}

"""The nine methods of the agent bridge as tools; rules, roles and audit are the bridge's own."""

from typing import Any

import msgspec

from ..access.tokens import Caller
from ..bridge.answers import ANSWERS
from ..bridge.caller import actor_of
from ..bridge.requests import REQUESTS
from ..bridge.rules import Actor
from .tooling import Call, Tool

_TOLD = {
    "create_thread": (
        "Begin a thread",
        "Begin a thread between agents: a conversation, a workflow such as a review, an incident. Coordinators only.",
    ),
    "get_thread": (
        "How a thread stands",
        "Status, participants, number of the newest message, each participant's cursor, and who could not be woken.",
    ),
    "update_thread_status": (
        "Change a thread's status",
        "active to blocked, resolved or closed; blocked to active, or closed by an override; resolved to closed. "
        "Coordinators only.",
    ),
    "summarize_thread": (
        "What a thread comes to",
        "Participants, findings without a verdict, decisions, the last status and who is waited for.",
    ),
    "post_message": (
        "Say something in a thread",
        "Post a message to all participants, or to some of them with `to`. Report findings, fixes and verdicts as kind "
        "`event` with metadata.event_type. Give an idempotency_key, so that a repeat is kept once.",
    ),
    "read_messages": (
        "Read a thread",
        "The messages after since_seq, a page at a time. Acknowledge with ack_read what you have dealt with.",
    ),
    "ack_read": (
        "Settle what was read",
        "Everything up to last_read_seq is dealt with; the cursor never goes back. It also answers a wake.",
    ),
    "heartbeat_session": (
        "Say that you are here",
        "Tell where you can be woken: session, runtime, whether that is allowed, and whether you are active or idle.",
    ),
    "trigger_participant": (
        "Wake a participant",
        "Ask for a wake; the supervisor triggers, resumes or starts the agent's runtime. Coordinators only.",
    ),
}
_READS = ("get_thread", "summarize_thread", "read_messages")
_REPEATABLE = ("update_thread_status", "ack_read", "heartbeat_session")


def actor_in(call: Call) -> Actor:
    caller: Caller = call.caller
    return actor_of(
        caller.role, caller.agent, caller.workspace, caller.session, call.request_id,
        owner=caller.jti is None,
    )  # fmt: skip


def _tool(method: str) -> Tool:
    def run(call: Call, given: msgspec.Struct) -> dict[str, Any]:
        return call.plane.bridge.call(method, actor_in(call), msgspec.json.encode(given))

    title, words = _TOLD[method]
    return Tool(
        method, title, words, REQUESTS[method], ANSWERS[method], run,
        reads=method in _READS, repeatable=method in _REPEATABLE,
    )  # fmt: skip


BRIDGE_TOOLS = tuple(_tool(method) for method in REQUESTS)

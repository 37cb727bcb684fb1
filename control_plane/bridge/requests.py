"""What callers send, method by method. Fields that a later minor revision adds are tolerated, wrong ones refused."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .faults import InvalidArgument
from .terms import MOST_SUMMARISED, PAGE, Kind, Status, ThreadType

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(min_length=1, max_length=70_000)]
Key = Annotated[str, Meta(min_length=1, max_length=200)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]
ThreadId = Annotated[Name, Meta(description="The thread, from create_thread.")]
OwnName = Annotated[Name | None, Meta(description="Who calls; must be the token's own agent when given.")]


class CreateThread(msgspec.Struct, frozen=True):
    """Begin a thread. Fields of a later revision are tolerated."""

    workspace_id: Annotated[Name, Meta(description="The workspace; the token's own.")]
    title: Annotated[Text, Meta(description="One line that says what it is about.")]
    type: Annotated[ThreadType, Meta(description="conversation, workflow or incident.")]
    participants: Annotated[list[Name], Meta(description="The agents that take part, each once, one at least.")]
    created_by: OwnName = None


class GetThread(msgspec.Struct, frozen=True):
    """How a thread stands. Fields of a later revision are tolerated."""

    thread_id: ThreadId


class UpdateThreadStatus(msgspec.Struct, frozen=True):
    """Change a thread's status. Fields of a later revision are tolerated."""

    thread_id: ThreadId
    status: Annotated[Status, Meta(description="active, blocked, resolved or closed.")]
    reason: Annotated[Text, Meta(description="Why; `human_override: …` closes a blocked thread.")]
    agent_id: OwnName = None
    metadata: Annotated[dict[str, Any], Meta(description="Kept with the change.")] = {}
    expected_status: Annotated[Status | None, Meta(description="Refuse unless it has this status now.")] = None


class SummarizeThread(msgspec.Struct, frozen=True):
    """What a thread comes to. Fields of a later revision are tolerated."""

    thread_id: ThreadId
    max_messages: Annotated[
        int, Meta(ge=1, le=MOST_SUMMARISED, description="Look at so many of the newest messages.")
    ] = 200


class PostMessage(msgspec.Struct, frozen=True):
    """Say something in a thread. Fields of a later revision are tolerated."""

    thread_id: ThreadId
    kind: Annotated[Kind, Meta(description="chat, or event with metadata.event_type.")]
    body: Annotated[str, Meta(min_length=1, description="What is said.")]
    schema_version: Annotated[int, Meta(ge=-(2**53), le=2**53, description="1.")] = 1
    metadata: Annotated[
        dict[str, Any] | None, Meta(description="event_type of an event, and what else belongs to it.")
    ] = None
    in_reply_to: Annotated[Name | None, Meta(description="A message_id of the same thread.")] = None
    to: Annotated[list[Name] | None, Meta(description="Whom it concerns; all participants when left out.")] = None
    idempotency_key: Annotated[Key | None, Meta(description="The same key and payload are kept once.")] = None


class ReadMessages(msgspec.Struct, frozen=True):
    """A page of messages. Fields of a later revision are tolerated."""

    thread_id: ThreadId
    agent_id: OwnName = None
    since_seq: Annotated[Seq, Meta(description="Messages after this one.")] = 0
    limit: Annotated[int, Meta(ge=1, le=PAGE, description="At most so many.")] = 50


class AckRead(msgspec.Struct, frozen=True):
    """Settle what was read. Fields of a later revision are tolerated."""

    thread_id: ThreadId
    last_read_seq: Annotated[Seq, Meta(description="Everything up to this message is settled.")]
    agent_id: OwnName = None
    last_acked_message_id: Annotated[Name | None, Meta(description="The message that it is.")] = None


class HeartbeatSession(msgspec.Struct, frozen=True):
    """Say that a session lives. Fields of a later revision are tolerated."""

    session_id: Annotated[Name, Meta(description="Pane, OpenCode session or Codex session: where it is woken.")]
    runtime: Annotated[Name, Meta(description="tmux, codex or opencode.")]
    management_mode: Annotated[Literal["managed", "unmanaged"], Meta(description="Whether it may be triggered.")]
    resumable: Annotated[bool, Meta(description="Whether it can be gone on with when it has ended.")]
    status: Annotated[
        Literal["active", "idle", "offline"], Meta(description="active looks by itself, idle wants to be woken.")
    ]
    agent_id: OwnName = None
    workspace_id: Annotated[Name | None, Meta(description="The workspace; the token's own.")] = None


class TriggerParticipant(msgspec.Struct, frozen=True):
    """Wake a participant. Fields of a later revision are tolerated."""

    thread_id: ThreadId
    target_agent_id: Annotated[Name, Meta(description="Who is to be woken.")]
    reason: Annotated[str, Meta(min_length=1, max_length=1000, description="Why.")]
    trigger_prompt: Annotated[str, Meta(min_length=1, description="What is said to it, 8,192 bytes at most.")]


Request = (
    CreateThread | GetThread | UpdateThreadStatus | SummarizeThread | PostMessage | ReadMessages | AckRead
    | HeartbeatSession | TriggerParticipant
)  # fmt: skip
REQUESTS: dict[str, type[Request]] = {
    "create_thread": CreateThread,
    "get_thread": GetThread,
    "update_thread_status": UpdateThreadStatus,
    "summarize_thread": SummarizeThread,
    "post_message": PostMessage,
    "read_messages": ReadMessages,
    "ack_read": AckRead,
    "heartbeat_session": HeartbeatSession,
    "trigger_participant": TriggerParticipant,
}
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(kind) for name, kind in REQUESTS.items()}


def decoded(method: str, raw: bytes) -> Any:
    try:
        return _DECODERS[method].decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, OverflowError) as fault:
        raise InvalidArgument(
            "the request does not fit", why=str(fault)[:300], cure=f"see docs/bridge.md, {method}"
        ) from None

"""What callers send, method by method. Fields that a later minor revision adds are tolerated, wrong ones refused."""

from typing import Annotated, Any, Literal

import msgspec

from .faults import InvalidArgument
from .terms import MOST_SUMMARISED, PAGE, Kind, Status, ThreadType

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=70_000)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class CreateThread(msgspec.Struct, frozen=True):
    workspace_id: Name
    title: Text
    type: ThreadType
    participants: list[Name]
    created_by: Name | None = None


class GetThread(msgspec.Struct, frozen=True):
    thread_id: Name


class UpdateThreadStatus(msgspec.Struct, frozen=True):
    thread_id: Name
    status: Status
    reason: Text
    agent_id: Name | None = None
    metadata: dict[str, Any] = {}
    expected_status: Status | None = None


class SummarizeThread(msgspec.Struct, frozen=True):
    thread_id: Name
    max_messages: Annotated[int, msgspec.Meta(ge=1, le=MOST_SUMMARISED)] = 200


class PostMessage(msgspec.Struct, frozen=True):
    thread_id: Name
    kind: Kind
    body: Annotated[str, msgspec.Meta(min_length=1)]
    schema_version: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] = 1
    metadata: dict[str, Any] | None = None
    in_reply_to: Name | None = None
    to: list[Name] | None = None
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


class ReadMessages(msgspec.Struct, frozen=True):
    thread_id: Name
    agent_id: Name | None = None
    since_seq: Seq = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE)] = 50


class AckRead(msgspec.Struct, frozen=True):
    thread_id: Name
    last_read_seq: Seq
    agent_id: Name | None = None
    last_acked_message_id: Name | None = None


class HeartbeatSession(msgspec.Struct, frozen=True):
    session_id: Text
    runtime: Name
    management_mode: Literal["managed", "unmanaged"]
    resumable: bool
    status: Literal["active", "idle", "offline"]
    agent_id: Name | None = None
    workspace_id: Name | None = None


class TriggerParticipant(msgspec.Struct, frozen=True):
    thread_id: Name
    target_agent_id: Name
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    trigger_prompt: Annotated[str, msgspec.Meta(min_length=1)]


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

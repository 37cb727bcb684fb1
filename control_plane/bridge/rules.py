"""The rules of threads, messages, cursors and sessions: state, command and `now` in, events out or a coded refusal."""

import re
from typing import Any

import msgspec

from ..ledger.events import Event
from ..redacting import without_secrets
from .events import (
    BridgeEvent,
    CursorMoved,
    MessagePosted,
    ParticipantAdded,
    ParticipantRemoved,
    SessionSeen,
    ThreadArchived,
    ThreadCreated,
    ThreadStatusChanged,
)
from .faults import (
    Forbidden,
    IdempotencyConflict,
    InvalidArgument,
    InvalidTransition,
    NotFound,
    Stale,
    WorkspaceMismatch,
)
from .state import BridgeState, Session, Thread, event_type, finding_digest
from .terms import (
    EVENT_TYPES,
    LONGEST_BODY,
    LONGEST_KEY,
    LONGEST_METADATA,
    LONGEST_REASON,
    LONGEST_TITLE,
    MOST_PARTICIPANTS,
    OVERRIDES,
    PANE,
    SCHEMA_VERSION,
    SESSION,
    SYSTEM,
    Defaults,
    Kind,
    Status,
    ThreadType,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}")
_ALLOWED = {
    Status.ACTIVE: (Status.BLOCKED, Status.RESOLVED, Status.CLOSED),
    Status.BLOCKED: (Status.ACTIVE, Status.CLOSED),
    Status.RESOLVED: (Status.CLOSED,),
    Status.CLOSED: (),
}


class Actor(msgspec.Struct, frozen=True):
    """Who calls: from the token, never from the request. `workspace` None is the owner of this home: all of them."""

    agent: str
    role: str
    workspace: str | None = None
    session: str | None = None
    request: str = ""

    @property
    def sees_all(self) -> bool:
        return self.role in ("coordinator", "auditor")


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to say."""

    message: str
    kind: Kind
    body: str
    digest: str
    schema_version: int = SCHEMA_VERSION
    metadata: dict[str, Any] = {}
    in_reply_to: str | None = None
    to: tuple[str, ...] = ()
    key: str | None = None


def by(actor: Actor, workspace: str, now: float) -> dict[str, Any]:
    """What every fact says of its origin."""
    return {"at": now, "workspace": workspace, "actor": actor.agent, "role": actor.role, "request": actor.request}


def seen_thread(state: BridgeState, name: str, actor: Actor) -> Thread:
    """A thread that this caller may look at."""
    return may_see(state.threads.get(name), name, actor)


def may_see(thread: Thread | None, name: str, actor: Actor) -> Thread:
    if thread is None or thread.archived:
        raise NotFound(f"there is no thread {name[:80]!r}", cure="`control-plane bridge threads` shows those there are")
    if actor.workspace is not None and thread.workspace != actor.workspace:
        raise WorkspaceMismatch("that thread is in another workspace", reason="workspace")
    if not actor.sees_all and actor.agent not in thread.participants:
        raise Forbidden(f"{actor.agent} takes no part in that thread", reason="participation")
    return thread


def create_thread(
    thread: str, workspace: str, title: str, kind: ThreadType, participants: tuple[str, ...], actor: Actor, now: float
) -> list[Event]:
    check_name("workspace_id", workspace)
    check_text("title", title, LONGEST_TITLE)
    if not 1 <= len(participants) <= MOST_PARTICIPANTS:
        raise InvalidArgument(f"a thread has 1 to {MOST_PARTICIPANTS} participants")
    if len(set(participants)) != len(participants):
        raise InvalidArgument("a participant is named twice")
    for agent in participants:
        check_agent(agent)
    return [
        ThreadCreated(thread=thread, title=title, kind=kind, participants=participants, **by(actor, workspace, now))
    ]


def change_status(
    thread: Thread, status: Status, reason: str, metadata: dict[str, Any], actor: Actor, now: float, *,
    expected: Status | None = None,
) -> list[Event]:  # fmt: skip
    check_text("reason", reason, LONGEST_REASON)
    check_metadata(metadata)
    if expected is not None and thread.status is not expected:
        raise Stale(f"the thread is {thread.status}, not {expected}", cure="read it again")
    if thread.status is status:
        return []
    if status not in _ALLOWED[thread.status]:
        raise InvalidTransition(f"a thread that is {thread.status} cannot become {status}")
    overrides = thread.status is Status.BLOCKED and status is Status.CLOSED
    if overrides and not any(reason.startswith(word) and reason[len(word) :].strip() for word in OVERRIDES):
        raise InvalidTransition(
            "a blocked thread is closed by an override only", cure=f"begin the reason with {' or '.join(OVERRIDES)}"
        )
    return [
        ThreadStatusChanged(
            thread=thread.id, before=thread.status, status=status, reason=reason, metadata=metadata,
            **by(actor, thread.workspace, now),
        )
    ]  # fmt: skip


def add_participant(thread: Thread, agent: str, actor: Actor, now: float) -> list[Event]:
    check_agent(agent)
    if agent in thread.participants:
        return []
    _check_open(thread)
    if len(thread.participants) >= MOST_PARTICIPANTS:
        raise InvalidArgument(f"a thread has at most {MOST_PARTICIPANTS} participants")
    return [ParticipantAdded(thread=thread.id, agent=agent, **by(actor, thread.workspace, now))]


def remove_participant(thread: Thread, agent: str, actor: Actor, now: float) -> list[Event]:
    if agent not in thread.participants:
        return []
    if len(thread.participants) == 1:
        raise InvalidTransition("a thread keeps one participant at least", cure="close it instead")
    return [ParticipantRemoved(thread=thread.id, agent=agent, **by(actor, thread.workspace, now))]


def post(thread: Thread, said: Posting, limits: Defaults, actor: Actor, now: float) -> list[Event]:
    """The message, and the block that it leads to when nothing moves any more; nothing for a known repeat."""
    if said.key is not None and (known := thread.keys.get(f"{actor.agent} {said.key}")) is not None:
        if known.digest != said.digest:
            raise IdempotencyConflict("that idempotency key was used for another message")
        return []
    _check_open(thread)
    check_posting(said)
    for agent in said.to:
        if agent not in thread.participants:
            raise InvalidArgument(f"{agent[:80]!r} takes no part in that thread", cure="name participants in `to`")
    if said.in_reply_to is not None and not 1 <= seq_of(thread.id, said.in_reply_to) <= thread.last_seq:
        raise InvalidArgument("in_reply_to names no message of that thread")
    seq = thread.last_seq + 1
    posted = MessagePosted(
        thread=thread.id, message=message_id(thread.id, seq), seq=seq, kind=said.kind, body=said.body,
        schema_version=said.schema_version, metadata=said.metadata, in_reply_to=said.in_reply_to, to=said.to,
        key=said.key, digest=said.digest, **by(actor, thread.workspace, now),
    )  # fmt: skip
    return [posted, *_guard(thread, posted, limits, now)]


def _guard(thread: Thread, posted: MessagePosted, limits: Defaults, now: float) -> list[Event]:
    """Blocks a thread that goes in circles."""
    if thread.status is not Status.ACTIVE:
        return []
    kind, reason, guard = event_type(posted), "", ""
    turned = posted.role != SYSTEM and thread.last_sender not in ("", posted.actor)
    if (
        kind == "finding_reported"
        and thread.repeated.get(finding_digest(posted.body), 0) + 1 >= limits.identical_findings
    ):
        guard, reason = "identical-finding", f"the same finding was reported {limits.identical_findings} times"
    elif kind not in ("fix_pushed", "finding_verified", "finding_rejected", "thread_resolved") and (
        thread.turns + turned >= limits.turns_without_progress
    ):
        guard, reason = "no-progress", f"{limits.turns_without_progress} turns without progress"
    elif kind == "thread_escalated":
        reason = "escalated by a participant"
    if not reason:
        return []
    origin = by(Actor(SYSTEM, "system", request=posted.request), thread.workspace, now)
    return [
        ThreadStatusChanged(
            thread=thread.id, before=thread.status, status=Status.BLOCKED, reason=reason, guard=guard, **origin
        )
    ]


def move_cursor(
    thread: Thread, agent: str, seq: int, message: str | None, actor: Actor, now: float
) -> list[BridgeEvent]:
    at = thread.cursors.get(agent, 0)
    if seq > thread.last_seq:
        raise InvalidArgument(f"the newest message is {thread.last_seq}", why=f"{seq} was acknowledged")
    if message is not None and not 1 <= seq_of(thread.id, message) <= thread.last_seq:
        raise InvalidArgument("last_acked_message_id names no message of that thread")
    if seq < at:
        raise Stale(f"the cursor stands at {at}", why=f"it never goes back to {seq}")
    if seq == at:
        return []
    return [
        CursorMoved(
            thread=thread.id, agent=agent, last_read_seq=seq, last_acked_message=message,
            **by(actor, thread.workspace, now),
        )
    ]  # fmt: skip


def heartbeat(
    known: Session | None, workspace: str, session: str, runtime: str, *, managed: bool, resumable: bool, status: str,
    actor: Actor, now: float,
) -> list[Event]:  # fmt: skip
    check_name("runtime", runtime)
    check_session(runtime, session)
    if known is not None and now < known.seen:
        return []
    return [
        SessionSeen(
            agent=actor.agent, session=session, runtime=runtime, managed=managed, resumable=resumable, status=status,
            **by(actor, workspace, now),
        )
    ]  # fmt: skip


def archive(thread: Thread, reason: str, actor: Actor, now: float) -> list[Event]:
    check_text("reason", reason, LONGEST_REASON)
    if thread.status is not Status.CLOSED:
        raise InvalidTransition(
            f"only a closed thread is archived, and this one is {thread.status}",
            cure="close it first: control-plane bridge override-close-thread --reason 'human_override: …'",
        )
    return [ThreadArchived(thread=thread.id, reason=reason, **by(actor, thread.workspace, now))]


def check_posting(said: Posting) -> None:
    if said.schema_version != SCHEMA_VERSION:
        age = "older" if said.schema_version < SCHEMA_VERSION else "newer"
        raise InvalidArgument(
            f"schema_version {said.schema_version} is {age} than what is spoken here", cure=f"send {SCHEMA_VERSION}",
            reason="SCHEMA_VERSION",
        )  # fmt: skip
    if not said.body.strip():
        raise InvalidArgument("the body is empty")
    if len(said.body.encode()) > LONGEST_BODY:
        raise InvalidArgument(f"the body is longer than {LONGEST_BODY:,} bytes")
    check_metadata(said.metadata)
    if said.key is not None and (not 0 < len(said.key) <= LONGEST_KEY or not said.key.isprintable()):
        raise InvalidArgument(f"an idempotency key is a line of 1 to {LONGEST_KEY} characters")
    if len(set(said.to)) != len(said.to) or len(said.to) > MOST_PARTICIPANTS:
        raise InvalidArgument("`to` names each recipient once")
    if said.kind is Kind.EVENT:
        told = said.metadata.get("event_type")
        if told not in EVENT_TYPES:
            raise InvalidArgument(
                "an event message says which event it is", cure=f"metadata.event_type: {', '.join(sorted(EVENT_TYPES))}"
            )


def check_metadata(metadata: dict[str, Any]) -> None:
    try:
        size = len(msgspec.json.encode(metadata))
        _check_numbers(metadata)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidArgument("the metadata cannot be kept", cure="numbers of 64 bits, no deep nesting") from None
    if size > LONGEST_METADATA:
        raise InvalidArgument(f"the metadata is longer than {LONGEST_METADATA:,} bytes")


def _check_numbers(value: Any) -> None:
    """Others read them into 64 bits."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise OverflowError
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(one)


def check_text(field: str, text: str, longest: int) -> None:
    if not text.strip():
        raise InvalidArgument(f"the {field} is empty")
    if len(text) > longest or not text.isprintable():
        raise InvalidArgument(f"the {field} is one line of at most {longest:,} characters")


def check_name(field: str, name: str) -> None:
    if NAME.fullmatch(name) is None:
        raise InvalidArgument(f"{field} is no name", cure="letters, digits and ._:@/+- , at most 128, no spaces")


def check_session(runtime: str, session: str) -> None:
    """A driver may have any name; where it is a kind of runtime, that kind's grammar holds."""
    pane = PANE.fullmatch(session) is not None
    known = pane or (SESSION.fullmatch(session) is not None and without_secrets(session) is session)
    if not known or (runtime == "tmux" and not pane) or (runtime in ("codex", "opencode") and pane):
        raise InvalidArgument(
            "session_id names no session", cure="a pane as %3 in tmux, else letters, digits, _ and - , at most 128"
        )


def check_agent(name: str) -> None:
    check_name("agent_id", name)
    if name == SYSTEM:
        raise InvalidArgument(f"{SYSTEM} is the bridge's own name")


def message_id(thread: str, seq: int) -> str:
    return f"msg_{thread.removeprefix('th_')}_{seq}"


def seq_of(thread: str, message: str) -> int:
    """Which message of the thread an id names; 0 when none."""
    tail = message.removeprefix(f"msg_{thread.removeprefix('th_')}_")
    return int(tail) if tail != message and tail.isascii() and tail.isdigit() and len(tail) < 16 else 0


def _check_open(thread: Thread) -> None:
    if thread.status is Status.CLOSED:
        raise InvalidTransition("a closed thread takes nothing more", cure="create a new one")

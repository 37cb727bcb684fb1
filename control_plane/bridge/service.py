"""The way in: nine methods for agents, a few more for operators. Each asks the rules and writes what they answer."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from ..clock import new_id
from ..errors import Conflict, ControlPlaneError
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder
from ..redacting import without_secrets
from . import requests as r
from . import rules, summing, waking
from .auditing import Refusals, iso
from .events import FeedbackGiven, MessagePosted
from .faults import BridgeFault, Forbidden, Internal, InvalidArgument, NotFound, Unauthorized, WorkspaceMismatch
from .gathering import Gathering
from .projection import BRIDGE
from .reading import Messages, RowOf, shown, slice_of
from .rules import Actor, Posting
from .state import BridgeState, Thread, session_key
from .telling import details, job_facts, wake_answer
from .terms import DEFAULTS, Defaults, Kind, Status

T = TypeVar("T")
Decide = Callable[[], deciding.Decision[T]]
# What an operator may be asked to let pass through before a body is kept; answers the body to keep.
Filter = Callable[[str], str]

WRITERS = ("coordinator", "participant")
ROLES: dict[str, tuple[str, ...]] = {
    "create_thread": ("coordinator",),
    "get_thread": ("coordinator", "participant", "auditor"),
    "update_thread_status": ("coordinator",),
    "summarize_thread": ("coordinator", "participant", "auditor"),
    "post_message": WRITERS,
    "read_messages": ("coordinator", "participant", "auditor"),
    "ack_read": ("coordinator", "participant", "auditor"),
    "heartbeat_session": ("coordinator", "participant", "auditor"),
    "trigger_participant": ("coordinator",),
}
FEEDBACK = ("true-positive", "false-positive", "helped", "hindered")


class Bridge:
    def __init__(
        self,
        ledger: Ledger,
        folder: Folder,
        row_of: RowOf,
        *,
        limits: Defaults = DEFAULTS,
        filter: Filter | None = None,
    ) -> None:
        self.ledger, self.folder, self.limits, self.filter = ledger, folder, limits, filter
        self.clock = ledger.clock
        self._messages = Messages(row_of, ledger.catalogue)
        self.refusals = Refusals(ledger.record, ledger.clock)
        self._gathering = Gathering(ledger, folder)
        self._heard: list[Callable[[], None]] = []
        ledger.listen(lambda _: self._tell())

    @property
    def state(self) -> BridgeState:
        """Everything that is folded of threads, sessions and wakes."""
        return self.folder.state(BRIDGE)

    # What agents call.

    def call(self, method: str, actor: Actor, raw: bytes) -> dict[str, Any]:
        """One call as it came; a refusal is recorded with the checks that it passed, and raised."""
        trace: list[str] = []
        thread = ""
        try:
            if method not in r.REQUESTS:
                raise NotFound(f"there is no method {method[:80]!r}", cure=f"one of {', '.join(r.REQUESTS)}")
            asked = r.decoded(method, raw)
            trace.append("request: fits")
            thread = getattr(asked, "thread_id", "")
            actor = self._allowed(method, actor, asked, trace)
            answer: dict[str, Any] = getattr(self, f"_{method}")(asked, actor)
            return answer
        except BridgeFault as fault:
            self.refuse(actor, method, fault, tuple(trace), thread)
            raise
        except ControlPlaneError as fault:
            raised = Internal(fault.what, why=fault.why, cure="try again")
            self.refuse(actor, method, raised, tuple(trace), thread)
            raise raised from fault

    def refuse(self, actor: Actor, method: str, fault: BridgeFault, trace: tuple[str, ...], thread: str) -> None:
        """Put a refusal on record, with the checks that the call had passed."""
        fault.trace = (*trace, f"{fault.reason or fault.wire}: refused")
        self.refusals.refused(actor, method, fault.wire, fault.trace, thread)

    def _allowed(self, method: str, actor: Actor, asked: Any, trace: list[str]) -> Actor:
        """The claims against the request, then the role; who the caller is comes out."""
        agent = getattr(asked, "agent_id", None) or getattr(asked, "created_by", None)
        if actor.workspace is None and agent is not None:
            rules.check_agent(agent)
            actor = msgspec.structs.replace(actor, agent=agent)
        elif agent is not None and agent != actor.agent:
            raise Forbidden("the request speaks for another agent than the token", reason="agent")
        if not actor.agent or not actor.role:
            raise Unauthorized("the token names no agent", reason="claims")
        trace.append(f"agent {actor.agent}: the token's")
        if actor.role not in ROLES[method]:
            raise Forbidden(f"the role {actor.role} may not {method}", cure=f"it takes {' or '.join(ROLES[method])}",
                            reason="role")  # fmt: skip
        trace.append(f"role {actor.role}: may {method}")
        workspace = getattr(asked, "workspace_id", None)
        if workspace is not None and actor.workspace is not None and workspace != actor.workspace:
            raise WorkspaceMismatch("the request is for another workspace than the token", reason="workspace")
        trace.append("workspace: the token's")
        return actor

    def _create_thread(self, asked: r.CreateThread, actor: Actor) -> dict[str, Any]:
        now = self.clock.now()
        thread = f"th_{new_id(now)}"
        events = rules.create_thread(
            thread, asked.workspace_id, without_secrets(asked.title), asked.type, tuple(asked.participants), actor, now
        )
        self._gathered(asked.workspace_id, thread, lambda _: events)
        return {"thread_id": thread, "status": "active", "created_at": iso(now)}

    def _get_thread(self, asked: r.GetThread, actor: Actor) -> dict[str, Any]:
        with self._looking():
            thread = rules.seen_thread(self.state, asked.thread_id, actor)
            return details(thread)

    def _update_thread_status(self, asked: r.UpdateThreadStatus, actor: Actor) -> dict[str, Any]:
        now = self.clock.now()
        before: list[Status] = []
        reason = without_secrets(asked.reason)

        def decide(thread: Thread) -> list[Event]:
            before[:] = [thread.status]
            return rules.change_status(
                thread, asked.status, reason, asked.metadata, actor, now, expected=asked.expected_status
            )

        self._change(asked.thread_id, actor, decide)
        return {
            "thread_id": asked.thread_id, "previous_status": str(before[0]), "status": str(asked.status),
            "updated_at": iso(now),
        }  # fmt: skip

    def _summarize_thread(self, asked: r.SummarizeThread, actor: Actor) -> dict[str, Any]:
        with self._looking():
            thread = rules.seen_thread(self.state, asked.thread_id, actor)
            first = max(0, thread.last_seq - asked.max_messages)
            places = slice_of(thread, first, asked.max_messages)
        messages = self._messages.page(thread.workspace, asked.thread_id, first + 1, places)
        with self.folder.still():
            return summing.summary(thread, messages)

    def _post_message(self, asked: r.PostMessage, actor: Actor) -> dict[str, Any]:
        now = self.clock.now()
        said = self._said(asked)

        def decide(thread: Thread) -> list[Event]:
            events = rules.post(thread, said, self.limits, actor, now)
            marker = _marker(said.metadata)
            if marker is not None and events:
                origin = rules.by(actor, thread.workspace, now)
                events += waking.settled_by_marker(thread, actor.agent, *marker, origin)
            return events

        thread, events = self._change(asked.thread_id, actor, decide)
        if events:
            posted = events[0]
            assert isinstance(posted, MessagePosted)
            self._messages.keep(posted)
            seq, at = posted.seq, posted.at
        else:
            known = thread.keys[f"{actor.agent} {said.key}"]
            seq, at = known.seq, known.at
        return {
            "message_id": rules.message_id(thread.id, seq), "seq": seq, "thread_status": str(thread.status),
            "created_at": iso(at),
        }  # fmt: skip

    def _said(self, asked: r.PostMessage) -> Posting:
        if asked.kind is Kind.SYSTEM:
            raise InvalidArgument("system messages are the bridge's own", cure="post chat or an event")
        body = self.filter(asked.body) if self.filter is not None else asked.body
        facts = [asked.kind, body, asked.metadata, asked.in_reply_to, asked.to, asked.schema_version]
        rules.check_metadata(asked.metadata or {})
        return Posting(
            message="", kind=asked.kind, body=body, digest=blake2b(_canonical(facts), digest_size=16).hexdigest(),
            schema_version=asked.schema_version, metadata=asked.metadata or {}, in_reply_to=asked.in_reply_to,
            to=tuple(asked.to or ()), key=asked.idempotency_key,
        )  # fmt: skip

    def _read_messages(self, asked: r.ReadMessages, actor: Actor) -> dict[str, Any]:
        with self._looking():
            thread = rules.seen_thread(self.state, asked.thread_id, actor)
            places, last = slice_of(thread, asked.since_seq, asked.limit), thread.last_seq
        messages = self._messages.page(thread.workspace, asked.thread_id, asked.since_seq + 1, places)
        next_seq = asked.since_seq + len(messages)
        return {"messages": [shown(one) for one in messages], "next_seq": next_seq, "has_more": next_seq < last}

    def _ack_read(self, asked: r.AckRead, actor: Actor) -> dict[str, Any]:
        now = self.clock.now()

        def decide(thread: Thread) -> list[Event]:
            moved: list[Event] = [
                *rules.move_cursor(thread, actor.agent, asked.last_read_seq, asked.last_acked_message_id, actor, now)
            ]
            if moved:
                origin = rules.by(actor, thread.workspace, now)
                moved += waking.settled_by_cursor(thread, actor.agent, asked.last_read_seq, origin)
            return moved

        self._change(asked.thread_id, actor, decide)
        return {"ok": True, "updated_at": iso(now)}

    def _heartbeat_session(self, asked: r.HeartbeatSession, actor: Actor) -> dict[str, Any]:
        now = self.clock.now()
        workspace = actor.workspace or asked.workspace_id
        if workspace is None:
            raise InvalidArgument("workspace_id is missing")
        rules.check_name("workspace_id", workspace)
        name = session_key(workspace, actor.agent)

        def decide() -> deciding.Decision[None]:
            with self.folder.still():
                known = self.state.sessions.get(name)
                events = rules.heartbeat(
                    known, workspace, asked.session_id, asked.runtime, managed=asked.management_mode == "managed",
                    resumable=asked.resumable, status=asked.status, actor=actor, now=now,
                )  # fmt: skip
                return deciding.Decision(0 if known is None else known.version, events, None)

        self._write(f"bridge-session {name}", decide)
        return {"ok": True, "recorded_at": iso(now)}

    def _trigger_participant(self, asked: r.TriggerParticipant, actor: Actor) -> dict[str, Any]:
        now = self.clock.now()
        name, reason = f"trg_{new_id(now)}", without_secrets(asked.reason)

        def decide(thread: Thread) -> list[Event]:
            return waking.ask_wake(
                thread, name, asked.target_agent_id, reason, asked.trigger_prompt, self.limits, actor, now
            )

        thread, _ = self._change(asked.thread_id, actor, decide)
        with self.folder.still():
            session = self.state.sessions.get(session_key(thread.workspace, asked.target_agent_id))
            job = thread.job_for(asked.target_agent_id) or thread.past_jobs[-1]
            return wake_answer(job, session, self.limits, now)

    # What operators and coordinators do.

    def add_participant(self, thread: str, agent: str, actor: Actor) -> dict[str, Any]:
        """Let an agent into a thread."""
        now = self.clock.now()
        found, _ = self._change(thread, actor, lambda one: rules.add_participant(one, agent, actor, now))
        return details(found)

    def remove_participant(self, thread: str, agent: str, actor: Actor) -> dict[str, Any]:
        """Take an agent out of a thread; its messages stay."""
        now = self.clock.now()
        found, _ = self._change(thread, actor, lambda one: rules.remove_participant(one, agent, actor, now))
        return details(found)

    def set_status(self, thread: str, status: Status, reason: str, actor: Actor) -> dict[str, Any]:
        """Move a thread to another status, as an operator."""
        return self._update_thread_status(r.UpdateThreadStatus(thread, status, reason), actor)

    def archive(self, thread: str, reason: str, actor: Actor) -> None:
        """Serve a closed thread no more; the log keeps what was said."""
        now = self.clock.now()
        self._change(thread, actor, lambda one: rules.archive(one, without_secrets(reason), actor, now))

    def feedback(self, thread: str, verdict: str, note: str, actor: Actor) -> None:
        """Whether blocking or waking was right, as an operator sees it."""
        if verdict not in FEEDBACK:
            raise InvalidArgument(f"{verdict!r} is no feedback", cure=f"use {', '.join(FEEDBACK)}")
        if note:
            rules.check_text("note", note, 1000)
        now = self.clock.now()

        def decide(found: Thread) -> list[Event]:
            origin = rules.by(actor, found.workspace, now)
            return [FeedbackGiven(thread=found.id, verdict=verdict, note=without_secrets(note), **origin)]

        self._change(thread, actor, decide)

    def inspect(self, thread: str, actor: Actor, limit: int = 50) -> dict[str, Any]:
        """Thread, participants, newest messages and wakes, as an operator wants to see them."""
        with self._looking():
            found = rules.seen_thread(self.state, thread, actor)
            first = max(0, found.last_seq - limit)
            places = slice_of(found, first, limit)
            facts = details(found)
            facts["triggers"] = [job_facts(job) for job in (*found.past_jobs, *found.jobs.values())]
            facts["sessions"] = [
                msgspec.to_builtins(self.state.sessions[name])
                for agent in found.participants
                if (name := session_key(found.workspace, agent)) in self.state.sessions
            ]
            facts["waited_for"] = summing.waited_for(found)
        facts["messages"] = [shown(one) for one in self._messages.page(found.workspace, thread, first + 1, places)]
        return facts

    def threads(self, actor: Actor, *, status: str | None = None, limit: int = 200) -> list[dict[str, Any]]:
        """The threads that this caller may look at, the one that changed last first."""
        if status is not None and status not in tuple(Status):
            raise InvalidArgument(f"{status[:80]!r} is no status of a thread", cure=f"one of {', '.join(Status)}")
        with self._looking():
            seen = [
                thread
                for thread in self.state.threads.values()
                if not thread.archived
                and actor.workspace in (None, thread.workspace)
                and (actor.sees_all or actor.agent in thread.participants)
                and status in (None, str(thread.status))
            ]
            seen.sort(key=lambda thread: thread.updated, reverse=True)
            return [details(thread) | {"waited_for": summing.waited_for(thread)} for thread in seen[:limit]]

    def jobs(self, actor: Actor, *, dead: bool = False) -> list[dict[str, Any]]:
        """Wakes that are under way, or those that were given up."""
        with self._looking():
            found = [
                job
                for thread in self.state.threads.values()
                if actor.sees_all and actor.workspace in (None, thread.workspace)
                for job in (thread.past_jobs if dead else thread.jobs.values())
                if not dead or job.status == "dead_letter"
            ]
            return [job_facts(job) for job in sorted(found, key=lambda job: job.created)]

    # What others of the house use.

    def forget(self) -> None:
        """Read messages from the log again, those of late too."""
        self._messages.forget()

    def heard(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit of this process."""
        self._heard.append(listener)

    def unheard(self, listener: Callable[[], None]) -> None:
        """Call that listener no more."""
        self._heard.remove(listener)

    def _tell(self) -> None:
        for listener in tuple(self._heard):
            listener()

    def _looking(self) -> Any:
        """What others wrote is seen, and nothing moves while it is looked at."""
        self.folder.catch_up()
        return self.folder.still()

    def _change(self, name: str, actor: Actor, decide: Callable[[Thread], list[Event]]) -> tuple[Thread, list[Event]]:
        threads = self.state.threads
        if name not in threads:
            self.folder.catch_up()
        known = rules.may_see(threads.get(name), name, actor)
        events = self._gathered(known.workspace, name, lambda thread: decide(rules.may_see(thread, name, actor)))
        return known, events

    def _gathered(self, workspace: str, thread: str, decide: Callable[[Thread | None], list[Event]]) -> list[Event]:
        try:
            return self._gathering.write(workspace, thread, decide)
        except Conflict as fault:
            raise Internal("others write there all the time", why=fault.what, cure="try again") from fault

    def _write(self, stream: str, decide: "Decide[T]") -> T:
        try:
            return deciding.write(self.ledger, self.folder, stream, decide)
        except Conflict as fault:
            raise Internal("others write there all the time", why=fault.what, cure="try again") from fault


def _marker(metadata: dict[str, Any]) -> tuple[str, int] | None:
    told, attempt = metadata.get("trigger_id"), metadata.get("attempt")
    return (told, attempt) if isinstance(told, str) and isinstance(attempt, int) else None


def _canonical(facts: Any) -> bytes:
    try:
        return msgspec.json.encode(facts, order="deterministic")
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidArgument("the message cannot be kept") from None

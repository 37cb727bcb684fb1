"""The bridge as it stands: a fold of its events. Bodies stay in the log; here is only where each message lies."""

from hashlib import blake2b

import msgspec

from ..ledger.events import Event
from .events import (
    BridgeEvent,
    CallRefused,
    CursorMoved,
    FeedbackGiven,
    JobEvent,
    MessagePosted,
    ParticipantAdded,
    ParticipantRemoved,
    SessionSeen,
    ThreadArchived,
    ThreadCreated,
    ThreadStatusChanged,
    WakeClaimed,
    WakeDeferred,
    WakeDelivered,
    WakeDied,
    WakeFailed,
    WakeQueued,
    WakeSent,
)
from .terms import PROGRESS, VERDICTS, JobStatus, Kind, Status, Step, ThreadType

MINUTE, DAY = 60.0, 86400.0
REMEMBERED_JOBS = 50


class Key(msgspec.Struct, frozen=True):
    """What an idempotency key stands for."""

    seq: int
    digest: str
    at: float


class Job(msgspec.Struct):
    """One wake; `due` is when the supervisor has to look at it again."""

    id: str
    thread: str
    workspace: str
    target: str
    reason: str
    prompt: str
    seq: int
    cause: str
    request: str
    created: float
    due: float
    status: JobStatus = JobStatus.QUEUED
    step: Step | None = None
    attempt: int = 0
    # Attempts of the present step.
    tries: int = 0
    holder: str = ""
    session: str = ""
    runtime: str = ""
    lease_until: float = 0.0
    sent: float | None = None
    deferred_since: float | None = None
    why: str = ""
    by: str = ""
    done: float | None = None

    @property
    def result(self) -> str:
        """The seed's word for how it went."""
        if self.status is JobStatus.DELIVERED:
            if self.attempt == 0:
                return "already_active"
            return "fallback_spawned" if self.step is Step.SPAWN else "triggered"
        return "failed" if self.status in (JobStatus.DEAD_LETTER, JobStatus.FAILED) else "queued"


class Thread(msgspec.Struct):
    id: str
    workspace: str
    title: str
    kind: ThreadType
    created: float
    updated: float
    created_by: str
    participants: list[str]
    status: Status = Status.ACTIVE
    last_seq: int = 0
    # Where its messages lie in the workspace's stream: seq n at places[n - 1].
    places: list[int] = []
    cursors: dict[str, int] = {}
    keys: dict[str, Key] = {}
    # Newest message that an agent has to see, and when the first that it has not seen came.
    wanted: dict[str, int] = {}
    since: dict[str, float] = {}
    # Which call asked for it: the trace goes on from there.
    wanted_by: dict[str, str] = {}
    open_findings: dict[str, int] = {}
    repeated: dict[str, int] = {}
    turns: int = 0
    last_sender: str = ""
    jobs: dict[str, Job] = {}
    past_jobs: list[Job] = []
    # Per target: up to which message nobody could be woken, and why.
    undeliverable: dict[str, tuple[int, str]] = {}
    triggers: dict[str, list[float]] = {}
    archived: bool = False

    def unread(self, agent: str) -> bool:
        return self.wanted.get(agent, 0) > self.cursors.get(agent, 0)

    def job_for(self, agent: str) -> Job | None:
        return next((job for job in self.jobs.values() if job.target == agent), None)


class Session(msgspec.Struct):
    agent: str
    workspace: str
    session: str
    runtime: str
    managed: bool
    resumable: bool
    status: str
    seen: float
    version: int = 1


class Totals(msgspec.Struct):
    """What only grows, for the metrics."""

    messages: int = 0
    escalations: int = 0
    loops: dict[str, int] = {}
    wakes: dict[str, int] = {}
    refused: dict[str, int] = {}
    escalated_at: list[float] = []
    posted_at: list[float] = []


class BridgeState(msgspec.Struct):
    # How many events the stream of each workspace has: all but heartbeats and refusals.
    versions: dict[str, int] = {}
    threads: dict[str, Thread] = {}
    sessions: dict[str, Session] = {}
    # Threads in which a wake is under way, or somebody has something to read.
    stirring: dict[str, None] = {}
    # Times at which an agent did not come up: of resumes and spawns.
    crashes: dict[str, list[float]] = {}
    totals: Totals = msgspec.field(default_factory=Totals)
    # Raised by every event; who looks at the state again and again sees by it that nothing is new.
    changes: int = 0


def session_key(workspace: str, agent: str) -> str:
    return f"{workspace} {agent}"


def fold(state: BridgeState, event: Event) -> None:
    state.changes += 1
    if isinstance(event, BridgeEvent) and not isinstance(event, SessionSeen | CallRefused):
        state.versions[event.workspace] = state.versions.get(event.workspace, 0) + 1
    match event:
        case ThreadCreated():
            state.threads[event.thread] = Thread(
                event.thread, event.workspace, event.title, event.kind, event.at, event.at, event.actor,
                list(event.participants),
            )  # fmt: skip
        case SessionSeen():
            _see(state, event)
        case CallRefused():
            refused = state.totals.refused
            refused[event.code] = refused.get(event.code, 0) + event.count
        case FeedbackGiven():
            pass
        case _:
            _fold_thread(state, event)


def _fold_thread(state: BridgeState, event: Event) -> None:
    thread = state.threads[getattr(event, "thread", "")]
    match event:
        case MessagePosted():
            _post(state, thread, event)
        case CursorMoved():
            _settle(thread, event)
        case ThreadStatusChanged():
            _change(state, thread, event)
        case ParticipantAdded():
            thread.participants.append(event.agent)
            thread.updated = event.at
        case ParticipantRemoved():
            _leave(thread, event)
        case ThreadArchived():
            thread.archived, thread.places, thread.keys, thread.past_jobs = True, [], {}, []
        case JobEvent():
            _fold_job(state, thread, event)
    _mind(state, thread)


def _settle(thread: Thread, event: CursorMoved) -> None:
    thread.cursors[event.agent] = event.last_read_seq
    if not thread.unread(event.agent):
        thread.since.pop(event.agent, None)
    if thread.undeliverable.get(event.agent, (0, ""))[0] <= event.last_read_seq:
        thread.undeliverable.pop(event.agent, None)


def _leave(thread: Thread, event: ParticipantRemoved) -> None:
    thread.participants.remove(event.agent)
    for known in (thread.wanted, thread.since, thread.wanted_by, thread.undeliverable):
        known.pop(event.agent, None)
    thread.updated = event.at


def _mind(state: BridgeState, thread: Thread) -> None:
    """Keep the short list of threads that the supervisor has to look at."""
    if thread.jobs or (thread.status is Status.ACTIVE and any(map(thread.unread, thread.since))):
        state.stirring[thread.id] = None
    else:
        state.stirring.pop(thread.id, None)


def _post(state: BridgeState, thread: Thread, event: MessagePosted) -> None:
    thread.last_seq, thread.updated = event.seq, event.at
    thread.places.append(state.versions[thread.workspace])
    if event.key is not None:
        thread.keys[f"{event.actor} {event.key}"] = Key(event.seq, event.digest, event.at)
    totals = state.totals
    totals.messages += 1
    totals.posted_at.append(event.at)
    if len(totals.posted_at) > 20_000 or totals.posted_at[0] < event.at - 2 * MINUTE:
        totals.posted_at = [at for at in totals.posted_at[-10_000:] if at > event.at - MINUTE]
    if event.kind is Kind.SYSTEM and event.role == "system":
        return
    for agent in event.to or thread.participants:
        if agent != event.actor:
            thread.wanted[agent] = event.seq
            thread.since.setdefault(agent, event.at)
            thread.wanted_by[agent] = event.request
    _count_turn(thread, event)


def _count_turn(thread: Thread, event: MessagePosted) -> None:
    kind = event_type(event)
    finding = finding_of(event)
    if kind == "finding_reported":
        thread.open_findings[finding] = event.seq
        same = finding_digest(event.body)
        thread.repeated[same] = thread.repeated.get(same, 0) + 1
    elif kind in VERDICTS:
        thread.open_findings.pop(finding, None)
    elif kind == "thread_resolved":
        thread.open_findings.clear()
    if kind in PROGRESS:
        thread.turns = 0
        if kind in VERDICTS:
            thread.repeated.clear()
    elif thread.last_sender not in ("", event.actor):
        thread.turns += 1
    thread.last_sender = event.actor


def event_type(event: MessagePosted) -> str:
    """What an event message says happened; empty for chat."""
    return str(event.metadata.get("event_type", "")) if event.kind is Kind.EVENT else ""


def finding_digest(body: str) -> str:
    """Two findings are the same when they differ in space and case only."""
    return blake2b(" ".join(body.casefold().split()).encode(), digest_size=12).hexdigest()


def finding_of(event: MessagePosted) -> str:
    """Which finding a message is about: as it says itself, else the message that it replies to, else itself."""
    told = event.metadata.get("finding_id")
    return str(told) if told is not None else event.in_reply_to or event.message


def _change(state: BridgeState, thread: Thread, event: ThreadStatusChanged) -> None:
    thread.status, thread.updated = event.status, event.at
    totals = state.totals
    if event.status is Status.BLOCKED:
        totals.escalations += 1
        totals.escalated_at = [at for at in totals.escalated_at[-1000:] if at > event.at - DAY] + [event.at]
        if event.guard:
            totals.loops[event.guard] = totals.loops.get(event.guard, 0) + 1
    elif event.status is Status.ACTIVE:
        thread.turns = 0
        thread.repeated.clear()
        thread.undeliverable.clear()


def _see(state: BridgeState, event: SessionSeen) -> None:
    name = session_key(event.workspace, event.agent)
    known = state.sessions.get(name)
    state.sessions[name] = Session(
        event.agent, event.workspace, event.session, event.runtime, event.managed, event.resumable, event.status,
        event.at, 1 if known is None else known.version + 1,
    )  # fmt: skip


def _fold_job(state: BridgeState, thread: Thread, event: JobEvent) -> None:
    if isinstance(event, WakeQueued):
        thread.jobs[event.job] = job_of(event)
        recent = [at for at in thread.triggers.get(event.target, ()) if at > event.at - MINUTE]
        thread.triggers[event.target] = [*recent, event.at]
        thread.undeliverable.pop(event.target, None)
        return
    job = thread.jobs[event.job]
    match event:
        case WakeClaimed():
            job.tries = job.tries + 1 if job.step is event.step else 1
            job.status, job.step = JobStatus.TRIGGERING, event.step
            job.attempt, job.holder = event.attempt, event.holder
            job.session, job.runtime = event.session, event.runtime
            job.lease_until = job.due = event.lease_until
            job.sent = None
        case WakeSent():
            job.sent, job.due, job.deferred_since = event.at, event.ack_by, None
        case WakeDeferred():
            job.status, job.why, job.due = JobStatus.DEFERRED, event.reason, event.until
            job.deferred_since = event.at if job.deferred_since is None else job.deferred_since
            # An attempt that was put off has not been made.
            job.tries = max(0, job.tries - 1)
        case WakeFailed():
            _fail(state, job, event)
        case WakeDelivered():
            job.status, job.attempt, job.by = JobStatus.DELIVERED, event.attempt, event.by
            state.crashes.pop(session_key(thread.workspace, job.target), None)
            _finish(state, thread, job, event.at)
        case WakeDied():
            _die(state, thread, job, event)


def job_of(event: WakeQueued) -> Job:
    """A wake as it begins."""
    return Job(
        event.job, event.thread, event.workspace, event.target, event.reason, event.prompt, event.seq, event.cause,
        event.request, event.at, event.at,
    )  # fmt: skip


def _fail(state: BridgeState, job: Job, event: WakeFailed) -> None:
    if job.step in (Step.RESUME, Step.SPAWN):
        _crashed(state, job, event.at)
    if job.step is not event.step:
        job.tries = 0
    job.status, job.why, job.step, job.due = event.status, event.reason, event.step, event.retry_at
    job.deferred_since = None


def _die(state: BridgeState, thread: Thread, job: Job, event: WakeDied) -> None:
    unwanted = event.reason in ("THREAD_CLOSED", "TARGET_REMOVED")
    if job.tries and job.step in (Step.RESUME, Step.SPAWN) and not unwanted:
        _crashed(state, job, event.at)
    job.status, job.why = JobStatus.DEAD_LETTER, event.reason
    thread.undeliverable[job.target] = (job.seq, event.reason)
    _finish(state, thread, job, event.at)


def _crashed(state: BridgeState, job: Job, at: float) -> None:
    name = session_key(job.workspace, job.target)
    state.crashes[name] = [*state.crashes.get(name, ())[-9:], at]


def _finish(state: BridgeState, thread: Thread, job: Job, at: float) -> None:
    job.done = at
    del thread.jobs[job.id]
    thread.past_jobs = [*thread.past_jobs[1 - REMEMBERED_JOBS :], job]
    wakes = state.totals.wakes
    wakes[job.result] = wakes.get(job.result, 0) + 1

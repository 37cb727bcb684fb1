"""The rules of wakes: who is woken when, in which way, how often, and when it is given up. Pure, like all rules."""

from typing import Any

import msgspec

from ..ledger.events import Event
from .events import (
    MessagePosted,
    WakeClaimed,
    WakeDeferred,
    WakeDelivered,
    WakeDied,
    WakeFailed,
    WakeQueued,
    WakeSent,
)
from .faults import InvalidArgument, InvalidTransition, RateLimited
from .rules import Actor, by, message_id
from .state import MINUTE, BridgeState, Job, Session, Thread, job_of, session_key
from .terms import LONGEST_PROMPT, SYSTEM, Defaults, JobStatus, Kind, Status, Step

_SUPERVISOR: dict[str, Any] = {"actor": SYSTEM, "role": "system"}
_FALLBACKS = {Step.RESUME: JobStatus.FALLBACK_RESUME, Step.SPAWN: JobStatus.FALLBACK_SPAWN}


class Plan(msgspec.Struct, frozen=True):
    """How a wake would be tried, and why not in a better way."""

    step: Step
    reason: str = ""


def stale(session: Session, limits: Defaults, now: float) -> bool:
    return now - session.seen > limits.stale_s


def dormant(session: Session | None, limits: Defaults, now: float) -> bool:
    """Nobody who would look by himself."""
    return session is None or session.status != "active" or stale(session, limits, now)


def plan(session: Session | None, limits: Defaults, now: float) -> Plan:
    """Trigger what is managed and there; resume what can be; else start a new one."""
    if session is None:
        return Plan(Step.SPAWN, "RUNTIME_NOT_FOUND")
    old = stale(session, limits, now)
    if session.managed and session.status != "offline" and not old:
        return Plan(Step.TRIGGER)
    reason = "RUNTIME_OFFLINE" if old or session.status == "offline" else "RUNTIME_UNMANAGED"
    return Plan(Step.RESUME if session.resumable and not old else Step.SPAWN, reason)


def crashes(state: BridgeState, workspace: str, agent: str, limits: Defaults, now: float) -> int:
    times = state.crashes.get(session_key(workspace, agent), ())
    return sum(at > now - limits.crash_window_s for at in times)


def ask_wake(
    thread: Thread, job: str, target: str, reason: str, prompt: str, limits: Defaults, actor: Actor, now: float
) -> list[Event]:
    """Somebody asks for a wake; one that is under way already is joined."""
    if target not in thread.participants:
        raise InvalidArgument(f"{target[:80]!r} takes no part in that thread")
    if len(prompt.encode()) > LONGEST_PROMPT:
        raise InvalidArgument(f"the prompt is longer than {LONGEST_PROMPT:,} bytes", reason="TRIGGER_PAYLOAD_TOO_LARGE")
    if not prompt.strip():
        raise InvalidArgument("the prompt is empty")
    if thread.status in (Status.CLOSED, Status.BLOCKED):
        raise InvalidTransition(f"nobody is woken for a thread that is {thread.status}")
    if thread.job_for(target) is not None:
        return []
    if recent(thread, target, now) >= limits.triggers_a_minute:
        raise RateLimited(
            f"{target} was triggered {limits.triggers_a_minute} times within a minute", reason="TRIGGER_RATE_LIMITED"
        )
    return [_queued(thread, job, target, reason, prompt, "call", by(actor, thread.workspace, now))]


def recent(thread: Thread, target: str, now: float) -> int:
    return sum(at > now - MINUTE for at in thread.triggers.get(target, ()))


def wake_sleepers(
    state: BridgeState, thread: Thread, limits: Defaults, now: float, new_job: Any, prompt: str
) -> list[Event]:
    """A job for each dormant participant who has something to read and is not being woken."""
    found: list[Event] = []
    if thread.status is not Status.ACTIVE:
        return found
    for agent in thread.since:
        if not thread.unread(agent) or thread.job_for(agent) is not None:
            continue
        if thread.undeliverable.get(agent, (0, ""))[0] >= thread.wanted[agent]:
            continue
        if not dormant(state.sessions.get(session_key(thread.workspace, agent)), limits, now):
            continue
        if recent(thread, agent, now) < limits.triggers_a_minute:
            origin = {
                "at": now,
                "workspace": thread.workspace,
                **_SUPERVISOR,
                "request": thread.wanted_by.get(agent, ""),
            }
            cause = message_id(thread.id, thread.wanted[agent])
            found.append(_queued(thread, new_job(), agent, "unread", prompt, cause, origin))
    return found


def _queued(
    thread: Thread, job: str, target: str, reason: str, prompt: str, cause: str, origin: dict[str, Any]
) -> WakeQueued:
    return WakeQueued(
        thread=thread.id, job=job, target=target, reason=reason, prompt=prompt, seq=thread.wanted.get(target, 0),
        cause=cause, **origin,
    )  # fmt: skip


def settled_by_cursor(thread: Thread, agent: str, seq: int, origin: dict[str, Any]) -> list[Event]:
    """The wakes that a cursor ends: the target has read what it was to be woken for."""
    return [
        WakeDelivered(thread=thread.id, job=job.id, attempt=job.attempt, by="cursor", **origin)
        for job in thread.jobs.values()
        if job.target == agent and ((seq >= job.seq and job.seq > 0) or job.sent is not None)
    ]


def settled_by_marker(thread: Thread, agent: str, job: str, attempt: int, origin: dict[str, Any]) -> list[Event]:
    """The wake that a marker ends: of this job, of its present attempt, by its target; any other is fenced off."""
    known = thread.jobs.get(job)
    if known is None or known.target != agent or known.attempt != attempt or known.status is not JobStatus.TRIGGERING:
        return []
    return [WakeDelivered(thread=thread.id, job=job, attempt=attempt, by="marker", **origin)]


def look(state: BridgeState, job: Job, limits: Defaults, now: float) -> "list[Event] | Plan":
    """What is to be done about a job: events, nothing, or a way in which it is to be tried now."""
    thread = state.threads[job.thread]
    session = state.sessions.get(session_key(job.workspace, job.target))
    origin = _origin(job, now)
    if job.target not in thread.participants or thread.status is Status.CLOSED:
        reason = "THREAD_CLOSED" if thread.status is Status.CLOSED else "TARGET_REMOVED"
        return [WakeDied(attempt=job.attempt, reason=reason, **origin)]
    if job.seq and thread.cursors.get(job.target, 0) >= job.seq:
        return [WakeDelivered(attempt=job.attempt, by="cursor", **origin)]
    if job.status is JobStatus.TRIGGERING:
        return _look_at_attempt(state, job, session, limits, now)
    if thread.status is Status.BLOCKED or now < job.due:
        return []
    waited = now - job.deferred_since if job.status is JobStatus.DEFERRED and job.deferred_since is not None else 0.0
    if waited >= limits.longest_defer_s:
        return fail(state, job, "DEFER_TIMEOUT", limits, now, hopeless=True)
    return _way(state, job, session, limits, now) if room_for_more(state, limits) else []


def room_for_more(state: BridgeState, limits: Defaults, begun: int = 0) -> bool:
    """Whether fewer wakes than allowed are under way, `begun` of them not in the log yet."""
    jobs = (job for name in state.stirring for job in state.threads[name].jobs.values())
    return begun + sum(job.status is JobStatus.TRIGGERING for job in jobs) < limits.parallel


def begin(state: BridgeState, queued: list[Event], holder: str, limits: Defaults, now: float) -> list[Event]:
    """Claims for jobs that are about to be queued, so that both are one commit."""
    claims: list[Event] = []
    for event in queued:
        if isinstance(event, WakeQueued) and room_for_more(state, limits, len(claims)):
            job = job_of(event)
            session = state.sessions.get(session_key(job.workspace, job.target))
            chosen = _way(state, job, session, limits, now)
            if isinstance(chosen, Plan):
                claims += claim(job, chosen, session, holder, limits, now)
    return claims


def _way(state: BridgeState, job: Job, session: Session | None, limits: Defaults, now: float) -> "list[Event] | Plan":
    first = plan(session, limits, now)
    if job.step in (None, Step.TRIGGER):
        chosen = first
    else:
        assert job.step is not None
        chosen = first if job.step is Step.RESUME and first.step is Step.SPAWN else Plan(job.step, job.why)
    fallen = crashes(state, job.workspace, job.target, limits, now)
    if chosen.step is not Step.TRIGGER and fallen >= limits.crash_loop:
        if fallen > limits.crash_loop:
            return [WakeDied(attempt=job.attempt, reason="CRASH_LOOP", **_origin(job, now))]
        return Plan(Step.SPAWN, "CRASH_LOOP")
    return chosen


def _look_at_attempt(
    state: BridgeState, job: Job, session: Session | None, limits: Defaults, now: float
) -> list[Event]:
    if job.sent is not None and session is not None and session.seen > job.sent:
        return [WakeDelivered(attempt=job.attempt, by="heartbeat", **_origin(job, now))]
    if job.sent is not None and now >= job.due:
        return fail(state, job, "ACK_TIMEOUT", limits, now)
    return []


def claim(job: Job, chosen: Plan, session: Session | None, holder: str, limits: Defaults, now: float) -> list[Event]:
    return [
        WakeClaimed(
            attempt=job.attempt + 1, step=chosen.step, holder=holder, lease_until=now + limits.lease_s,
            session="" if session is None else session.session, runtime="" if session is None else session.runtime,
            **_origin(job, now),
        )
    ]  # fmt: skip


def sent(job: Job, limits: Defaults, now: float) -> list[Event]:
    wait = limits.spawn_ack_timeout_s if job.step is Step.SPAWN else limits.ack_timeout_s
    return [WakeSent(attempt=job.attempt, ack_by=now + wait, **_origin(job, now))]


def defer(job: Job, reason: str, wait: float, now: float) -> list[Event]:
    return [WakeDeferred(attempt=job.attempt, reason=reason, until=now + wait, **_origin(job, now))]


def fail(
    state: BridgeState, job: Job, reason: str, limits: Defaults, now: float, *, hopeless: bool = False
) -> list[Event]:
    """Again after a pause, or in the next way, or no more."""
    step = job.step or Step.TRIGGER
    most = {Step.TRIGGER: 1 + limits.retries, Step.RESUME: limits.resumes, Step.SPAWN: 1}[step]
    status = JobStatus.TIMEOUT if reason == "ACK_TIMEOUT" else JobStatus.FAILED
    if not hopeless and job.tries < most:
        pause = min(limits.longest_backoff_s, limits.backoff_s * 2 ** max(0, job.tries - 1))
        return [_failed(job, reason, status, step, now + pause, now)]
    session = state.sessions.get(session_key(job.workspace, job.target))
    fresh = session is not None and session.resumable and not stale(session, limits, now)
    if step is Step.TRIGGER and fresh:
        return [_failed(job, reason, _FALLBACKS[Step.RESUME], Step.RESUME, now, now)]
    if step is not Step.SPAWN:
        return [_failed(job, reason, _FALLBACKS[Step.SPAWN], Step.SPAWN, now, now)]
    return [WakeDied(attempt=job.attempt, reason=reason, **_origin(job, now))]


def _failed(job: Job, reason: str, status: JobStatus, step: Step, retry_at: float, now: float) -> WakeFailed:
    return WakeFailed(
        attempt=job.attempt, reason=reason, status=status, step=step, retry_at=retry_at, **_origin(job, now)
    )


def undeliverable(thread: Thread, job: Job, reason: str, now: float) -> list[Event]:
    """What the others read when somebody could not be woken."""
    if thread.status is Status.CLOSED or reason in ("THREAD_CLOSED", "TARGET_REMOVED"):
        return []
    seq = thread.last_seq + 1
    return [
        MessagePosted(
            thread=thread.id, message=message_id(thread.id, seq), seq=seq, kind=Kind.SYSTEM,
            body=f"undeliverable: {job.target} could not be woken ({reason})",
            metadata={"undeliverable": job.target, "reason": reason, "up_to_seq": job.seq, "trigger_id": job.id},
            at=now, workspace=thread.workspace, request=job.request, **_SUPERVISOR,
        )
    ]  # fmt: skip


def _origin(job: Job, now: float) -> dict[str, Any]:
    return {
        "at": now, "workspace": job.workspace, "thread": job.thread, "job": job.id, "request": job.request,
        **_SUPERVISOR,
    }  # fmt: skip

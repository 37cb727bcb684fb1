"""How threads and wakes are told to callers."""

from typing import Any

import msgspec

from . import waking
from .auditing import iso
from .state import Job, Session, Thread
from .terms import Defaults, Step


def details(thread: Thread) -> dict[str, Any]:
    found: dict[str, Any] = {
        "thread_id": thread.id, "workspace_id": thread.workspace, "title": thread.title, "type": str(thread.kind),
        "status": str(thread.status), "participants": list(thread.participants), "created_at": iso(thread.created),
        "updated_at": iso(thread.updated), "last_seq": thread.last_seq, "cursors": dict(thread.cursors),
    }  # fmt: skip
    if thread.undeliverable:
        found["undeliverable"] = [
            {"agent_id": agent, "up_to_seq": seq, "reason": reason}
            for agent, (seq, reason) in thread.undeliverable.items()
        ]
    return found


def job_facts(job: Job) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(job)
    return facts | {"result": job.result}


def wake_answer(job: Job, session: Session | None, limits: Defaults, now: float) -> dict[str, Any]:
    planned = waking.plan(session, limits, now)
    answer: dict[str, Any] = {
        "trigger_id": job.id, "target_agent_id": job.target,
        "action": "trigger_runtime" if planned.step is Step.TRIGGER else "fallback_required",
        "result": job.result, "job_status": str(job.status),
        "stale_session": session is not None and waking.stale(session, limits, now),
        "triggered_at": iso(job.created),
    }  # fmt: skip
    if planned.step is not Step.TRIGGER:
        answer |= {"fallback_action": str(planned.step), "fallback_reason": planned.reason}
    if session is not None:
        answer |= {
            "target_session_id": session.session, "runtime": session.runtime, "session_status": session.status,
            "management_mode": "managed" if session.managed else "unmanaged",
        }  # fmt: skip
    return answer

"""The bridge as it stands, event by event: who has to read what, who is woken, what is counted, what is forgotten."""

from typing import Any

import pytest

from control_plane.bridge import events as e
from control_plane.bridge.state import (
    DAY,
    MINUTE,
    REMEMBERED_JOBS,
    BridgeState,
    Job,
    Key,
    Session,
    Thread,
    event_type,
    finding_of,
    fold,
    job_of,
)
from control_plane.bridge.terms import JobStatus, Kind, Status, Step, ThreadType
from control_plane.ledger.events import Event

BY: dict[str, Any] = {"workspace": "w", "thread": "t"}


def after(*events: Event, state: BridgeState | None = None) -> BridgeState:
    state = state or BridgeState()
    for event in events:
        fold(state, event)
    return state


def created(*participants: str) -> e.ThreadCreated:
    return e.ThreadCreated(
        at=1.0, actor="ann", title="words", kind=ThreadType.CONVERSATION, participants=participants or ("ann", "bob"),
        **BY,
    )  # fmt: skip


def posted(seq: int, actor: str = "ann", at: float = 2.0, kind: Kind = Kind.CHAT, **more: Any) -> e.MessagePosted:
    told: dict[str, Any] = {"body": "hello", "request": f"r{seq}"} | more
    return e.MessagePosted(at=at, actor=actor, message=f"m{seq}", seq=seq, kind=kind, **BY, **told)


def said(seq: int, what: str, actor: str = "ann", body: str = "hello", **metadata: Any) -> e.MessagePosted:
    return posted(seq, actor, kind=Kind.EVENT, body=body, metadata={"event_type": what, **metadata})


def changed(status: Status, at: float = 3.0, guard: str = "") -> e.ThreadStatusChanged:
    return e.ThreadStatusChanged(
        at=at, actor="bridge", before=Status.ACTIVE, status=status, reason="why", guard=guard, **BY
    )


def read(agent: str, seq: int, at: float = 4.0) -> e.CursorMoved:
    return e.CursorMoved(at=at, actor=agent, agent=agent, last_read_seq=seq, **BY)


def queued(job: str = "j", at: float = 10.0, target: str = "bob", seq: int = 1) -> e.WakeQueued:
    return e.WakeQueued(
        at=at, actor="bridge", job=job, target=target, reason="new", prompt="read", seq=seq, cause="m1", request="r",
        **BY,
    )  # fmt: skip


def wake(kind: type[e.JobEvent], at: float = 11.0, job: str = "j", **more: Any) -> e.JobEvent:
    return kind(at=at, actor="bridge", job=job, attempt=more.pop("attempt", 1), **BY, **more)


def claimed(step: Step = Step.TRIGGER, **more: Any) -> e.JobEvent:
    told = {"holder": "h", "session": "ses", "runtime": "opencode", "lease_until": 40.0} | more
    return wake(e.WakeClaimed, step=step, **told)


def failed(step: Step, **more: Any) -> e.JobEvent:
    told = {"reason": "NO_ACK", "status": JobStatus.TIMEOUT, "retry_at": 20.0} | more
    return wake(e.WakeFailed, step=step, **told)


def delivered(job: str = "j", attempt: int = 1) -> e.JobEvent:
    return wake(e.WakeDelivered, at=12.0, job=job, attempt=attempt, by="cursor")


def test_a_thread_begins_and_its_messages_have_their_places() -> None:
    state = after(created(), posted(1, key="k", digest="d"), posted(2, "bob"), read("bob", 1))
    thread = state.threads["t"]
    assert (thread.workspace, thread.title, thread.kind, thread.created, thread.created_by, thread.participants) == (
        "w", "words", ThreadType.CONVERSATION, 1.0, "ann", ["ann", "bob"],
    )  # fmt: skip
    assert (thread.status, thread.last_seq, thread.places, thread.updated) == (Status.ACTIVE, 2, [2, 3], 2.0)
    assert thread.keys == {"ann k": Key(1, "d", 2.0)}
    assert (state.versions, state.changes, state.totals.messages) == ({"w": 4}, 4, 2)
    assert not thread.archived


def test_who_did_not_write_it_has_to_read_it_until_the_cursor_is_there() -> None:
    state = after(created("ann", "bob", "eve"), posted(1), posted(2, at=3.0, to=("bob",)))
    thread = state.threads["t"]
    assert (thread.wanted, thread.since, thread.wanted_by) == (
        {"bob": 2, "eve": 1}, {"bob": 2.0, "eve": 2.0}, {"bob": "r2", "eve": "r1"},
    )  # fmt: skip
    assert [thread.unread(agent) for agent in ("ann", "bob", "eve")] == [False, True, True]
    assert list(state.stirring) == ["t"]
    after(read("bob", 1), read("eve", 1), state=state)
    assert (list(thread.since), list(state.stirring)) == (["bob"], ["t"])
    after(read("bob", 2), state=state)
    assert (thread.since, state.stirring) == ({}, {})


def test_what_the_bridge_says_itself_wakes_nobody() -> None:
    state = after(created(), posted(1, "bridge", kind=Kind.SYSTEM, role="system"))
    thread = state.threads["t"]
    assert (thread.wanted, thread.last_seq, thread.last_sender, state.stirring) == ({}, 1, "", {})
    assert after(created(), posted(1, kind=Kind.SYSTEM, role="agent")).threads["t"].wanted == {"bob": 1}
    assert after(created(), posted(1, kind=Kind.CHAT, role="system")).threads["t"].wanted == {"bob": 1}


def test_a_thread_that_is_not_active_stirs_only_while_somebody_is_being_woken() -> None:
    state = after(created(), posted(1), changed(Status.RESOLVED))
    assert state.stirring == {}
    after(queued(), state=state)
    assert list(state.stirring) == ["t"]


def test_those_who_come_and_go() -> None:
    state = after(created("ann", "bob"), posted(1))
    after(e.ParticipantAdded(at=5.0, actor="ann", agent="eve", **BY), state=state)
    thread = state.threads["t"]
    assert (thread.participants, thread.updated) == (["ann", "bob", "eve"], 5.0)
    thread.undeliverable["bob"] = (1, "why")
    after(e.ParticipantRemoved(at=6.0, actor="ann", agent="bob", **BY), state=state)
    assert (thread.participants, thread.updated, state.stirring) == (["ann", "eve"], 6.0, {})
    assert (thread.wanted, thread.since, thread.wanted_by, thread.undeliverable) == ({}, {}, {}, {})


def test_an_archived_thread_keeps_no_weight() -> None:
    state = after(created(), posted(1, key="k"), queued(), delivered())
    after(e.ThreadArchived(at=9.0, actor="ann", reason="done", **BY), state=state)
    thread = state.threads["t"]
    assert (thread.archived, thread.places, thread.keys, thread.past_jobs) == (True, [], {}, [])


def test_findings_are_open_until_a_verdict_and_the_same_one_is_counted() -> None:
    state = after(
        created(), said(1, "finding_reported", body="It  Leaks"), said(2, "finding_reported", body="it leaks")
    )
    thread = state.threads["t"]
    assert (thread.open_findings, list(thread.repeated.values())) == ({"m1": 1, "m2": 2}, [2])
    after(said(3, "finding_verified", "bob", finding_id="m1"), state=state)
    assert (thread.open_findings, thread.repeated) == ({"m2": 2}, {})
    after(said(4, "finding_reported", body="it leaks"), said(5, "fix_pushed", "bob"), state=state)
    assert (list(thread.repeated.values()), thread.open_findings) == ([1], {"m2": 2, "m4": 4})
    after(said(6, "thread_resolved", "bob"), state=state)
    assert (thread.open_findings, list(thread.repeated.values())) == ({}, [1])


def test_a_turn_is_a_change_of_who_speaks_and_progress_begins_anew() -> None:
    state = after(created(), posted(1))
    thread = state.threads["t"]
    assert (thread.turns, thread.last_sender) == (0, "ann")
    after(posted(2, "ann"), posted(3, "bob"), posted(4, "ann"), state=state)
    assert (thread.turns, thread.last_sender) == (2, "ann")
    after(said(5, "fix_pushed", "bob"), state=state)
    assert (thread.turns, thread.last_sender) == (0, "bob")


def test_what_a_message_says_of_itself() -> None:
    assert event_type(said(1, "fix_pushed")) == "fix_pushed"
    assert event_type(posted(1, metadata={"event_type": "fix_pushed"})) == ""
    assert event_type(posted(1, kind=Kind.EVENT)) == ""
    assert finding_of(posted(1)) == "m1"
    assert finding_of(posted(2, in_reply_to="m1")) == "m1"
    assert finding_of(posted(2, in_reply_to="m1", metadata={"finding_id": 7})) == "7"


def test_a_block_is_counted_with_its_guard_and_ends_with_a_fresh_count() -> None:
    state = after(created(), posted(1), posted(2, "bob"), said(3, "finding_reported"), changed(Status.BLOCKED))
    after(changed(Status.BLOCKED, at=3.0 + DAY, guard="no-progress"), state=state)
    totals, thread = state.totals, state.threads["t"]
    assert (totals.escalations, totals.loops, totals.escalated_at) == (2, {"no-progress": 1}, [3.0 + DAY])
    assert (thread.status, thread.updated, thread.turns) == (Status.BLOCKED, 3.0 + DAY, 2)
    after(changed(Status.BLOCKED, at=4.0 + DAY, guard="no-progress"), state=state)
    assert (totals.loops, totals.escalated_at) == ({"no-progress": 2}, [3.0 + DAY, 4.0 + DAY])
    thread.undeliverable["bob"] = (1, "why")
    after(changed(Status.ACTIVE), state=state)
    assert (thread.turns, thread.repeated, thread.undeliverable) == (0, {}, {})


def test_resolving_keeps_the_counts() -> None:
    state = after(created(), posted(1), posted(2, "bob"), changed(Status.RESOLVED))
    assert (state.threads["t"].turns, state.totals.escalations) == (1, 0)


def test_of_posts_the_last_minutes_are_kept() -> None:
    state = after(created(), posted(1, at=0.0), posted(2, at=2 * MINUTE))
    assert state.totals.posted_at == [0.0, 2 * MINUTE]
    after(posted(3, at=2 * MINUTE + 1), state=state)
    assert state.totals.posted_at == [2 * MINUTE, 2 * MINUTE + 1]
    after(*(posted(4, at=200.0) for _ in range(20_000)), state=state)
    assert len(state.totals.posted_at) <= 20_000
    assert state.totals.messages == 20_003


def test_a_heartbeat_is_a_new_version_of_its_session_and_no_version_of_the_stream() -> None:
    def seen(at: float, status: str = "idle") -> e.SessionSeen:
        return e.SessionSeen(
            at=at, workspace="w", actor="bob", agent="bob", session="ses", runtime="opencode", managed=True,
            resumable=False, status=status,
        )  # fmt: skip

    state = after(seen(1.0), seen(2.0, "busy"))
    assert state.sessions == {"w bob": Session("bob", "w", "ses", "opencode", True, False, "busy", 2.0, 2)}
    refused = e.CallRefused(at=3.0, workspace="w", actor="bob", operation="post", code="X", count=3)
    after(refused, refused, e.FeedbackGiven(at=4.0, actor="ann", verdict="right", **BY), state=state)
    assert (state.totals.refused, state.versions, state.changes) == ({"X": 6}, {"w": 1}, 5)


def test_a_wake_from_its_queue_to_its_delivery() -> None:
    state = after(created(), posted(1), queued())
    thread = state.threads["t"]
    thread.undeliverable["bob"] = (1, "before")
    after(queued("k", at=10.0 + MINUTE), state=state)
    assert (thread.triggers, thread.undeliverable) == ({"bob": [10.0 + MINUTE]}, {})
    after(queued("l", at=11.0 + MINUTE), state=state)
    assert thread.triggers == {"bob": [10.0 + MINUTE, 11.0 + MINUTE]}
    job = thread.jobs["j"]
    assert job == Job("j", "t", "w", "bob", "new", "read", 1, "m1", "r", 10.0, 10.0)
    assert (thread.job_for("bob"), thread.job_for("ann"), job.result) == (job, None, "queued")
    after(claimed(), wake(e.WakeSent, at=11.5, ack_by=19.5), state=state)
    assert (job.status, job.step, job.attempt, job.tries, job.holder, job.session, job.runtime) == (
        JobStatus.TRIGGERING, Step.TRIGGER, 1, 1, "h", "ses", "opencode",
    )  # fmt: skip
    assert (job.lease_until, job.sent, job.due) == (40.0, 11.5, 19.5)
    after(delivered(), state=state)
    assert (job.status, job.by, job.done, job.result) == (JobStatus.DELIVERED, "cursor", 12.0, "triggered")
    assert (list(thread.jobs), thread.past_jobs, state.totals.wakes) == (["k", "l"], [job], {"triggered": 1})
    # What becomes of one wake is remembered for its thread; only the first of a kind makes a new entry.
    after(delivered("k"), delivered("l", attempt=0), state=state)
    assert state.totals.wakes == {"triggered": 2, "already_active": 1}


def test_tries_are_those_of_one_step_and_what_is_put_off_is_none() -> None:
    state = after(created(), queued(), claimed(), failed(Step.TRIGGER), claimed(attempt=2))
    job = state.threads["t"].jobs["j"]
    assert (job.tries, job.attempt, job.due, job.sent) == (2, 2, 40.0, None)
    after(wake(e.WakeDeferred, at=13.0, attempt=2, reason="typing", until=18.0), state=state)
    assert (job.tries, job.status, job.why, job.due, job.deferred_since) == (
        1, JobStatus.DEFERRED, "typing", 18.0, 13.0,
    )  # fmt: skip
    after(wake(e.WakeDeferred, at=14.0, attempt=2, reason="typing", until=19.0), state=state)
    after(wake(e.WakeDeferred, at=15.0, attempt=2, reason="typing", until=20.0), state=state)
    assert (job.tries, job.deferred_since) == (0, 13.0)
    after(claimed(), wake(e.WakeSent, ack_by=30.0), state=state)
    assert (job.tries, job.deferred_since) == (1, None)
    after(failed(Step.RESUME, retry_at=33.0), state=state)
    assert (job.tries, job.step, job.status, job.why, job.due) == (0, Step.RESUME, JobStatus.TIMEOUT, "NO_ACK", 33.0)
    after(claimed(Step.RESUME), claimed(Step.SPAWN), state=state)
    assert job.tries == 1


def test_only_a_program_that_did_not_come_up_has_crashed() -> None:
    state = after(created(), queued(), claimed(), failed(Step.RESUME))
    assert state.crashes == {}
    after(claimed(Step.RESUME), failed(Step.SPAWN, at=21.0), claimed(Step.SPAWN), state=state)
    after(failed(Step.SPAWN, at=22.0), state=state)
    assert state.crashes == {"w bob": [21.0, 22.0]}
    for at in range(30, 45):
        after(claimed(Step.SPAWN), failed(Step.SPAWN, at=float(at)), state=state)
    assert state.crashes == {"w bob": [float(at) for at in range(35, 45)]}
    after(claimed(Step.SPAWN), delivered(), state=state)
    assert (state.crashes, state.totals.wakes) == ({}, {"fallback_spawned": 1})


@pytest.mark.parametrize(
    ("step", "reason", "crashed"),
    [
        (Step.SPAWN, "NO_ACK", True), (Step.RESUME, "NO_ACK", True), (Step.TRIGGER, "NO_ACK", False),
        (Step.SPAWN, "THREAD_CLOSED", False), (Step.SPAWN, "TARGET_REMOVED", False),
    ],
)  # fmt: skip
def test_a_dead_wake_is_undeliverable_until_it_is_read(step: Step, reason: str, crashed: bool) -> None:
    state = after(created(), posted(1), posted(2), queued(seq=2), claimed(step))
    after(wake(e.WakeDied, at=50.0, reason=reason), state=state)
    thread = state.threads["t"]
    job = thread.past_jobs[0]
    assert (job.status, job.why, job.done, job.result) == (JobStatus.DEAD_LETTER, reason, 50.0, "failed")
    assert (thread.undeliverable, thread.jobs, state.totals.wakes) == ({"bob": (2, reason)}, {}, {"failed": 1})
    assert state.crashes == ({"w bob": [50.0]} if crashed else {})
    after(read("bob", 1), state=state)
    assert thread.undeliverable == {"bob": (2, reason)}
    after(read("bob", 2), state=state)
    assert thread.undeliverable == {}


def test_a_wake_that_died_before_it_was_tried_is_no_crash() -> None:
    state = after(created(), queued(), claimed(Step.SPAWN))
    after(wake(e.WakeDeferred, reason="typing", until=18.0), wake(e.WakeDied, reason="NO_ACK"), state=state)
    assert state.crashes == {}


def test_the_latest_wakes_of_a_thread_are_remembered() -> None:
    state = after(created())
    for number in range(REMEMBERED_JOBS + 2):
        after(queued(f"j{number}"), delivered(f"j{number}"), state=state)
    past = state.threads["t"].past_jobs
    assert [job.id for job in past] == [f"j{number}" for number in range(2, REMEMBERED_JOBS + 2)]


def test_a_wake_that_only_failed_says_so() -> None:
    job = job_of(queued())
    job.status = JobStatus.FAILED
    assert job.result == "failed"
    job.status, job.attempt, job.step = JobStatus.DELIVERED, 1, Step.RESUME
    assert job.result == "triggered"


def test_empty_is_empty() -> None:
    thread = Thread("t", "w", "words", ThreadType.CONVERSATION, 1.0, 1.0, "ann", ["ann"])
    assert (thread.last_seq, thread.turns, thread.archived, thread.unread("ann")) == (0, 0, False, False)
    totals = BridgeState().totals
    assert (totals.messages, totals.escalations, BridgeState().changes) == (0, 0, 0)

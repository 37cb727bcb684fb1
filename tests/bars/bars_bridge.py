"""Bars of the bridge: fenced acknowledgements, cursors that only rise, keys that count once, and bounded wakes."""

from collections.abc import Callable
from typing import Any

from control_plane.bridge import rules, waking
from control_plane.bridge.events import SessionSeen, ThreadCreated, WakeClaimed, WakeDelivered, WakeFailed, WakeQueued
from control_plane.bridge.faults import BridgeFault
from control_plane.bridge.rules import Actor, Posting
from control_plane.bridge.state import BridgeState, Thread, fold
from control_plane.bridge.terms import DEFAULTS, Kind, Step, ThreadType
from tests.bars.frame import Bar

NOW = 1_800_000_000.0
EXEC, REVIEWER = Actor("exec", "participant", "w1"), Actor("reviewer", "participant", "w1")
BY: dict[str, Any] = {"at": NOW, "workspace": "w1", "actor": "bridge"}


def begun() -> tuple[BridgeState, Thread]:
    state = BridgeState()
    fold(
        state,
        ThreadCreated(thread="th_1", title="t", kind=ThreadType.WORKFLOW, participants=("exec", "reviewer"), **BY),
    )
    return state, state.threads["th_1"]


def said(body: str, key: str | None = None) -> Posting:
    return Posting(message="", kind=Kind.CHAT, body=body, digest=body, key=key)


def check_an_acknowledgement_of_another_attempt_is_fenced(settle: Callable[..., list]) -> None:
    state, thread = begun()
    fold(state, WakeQueued(thread="th_1", job="j", target="reviewer", reason="r", prompt="p", seq=0, **BY))
    claim = {"step": Step.TRIGGER, "holder": "h", "session": "s", "runtime": "r", "lease_until": NOW + 30}
    for attempt in (1, 2):
        fold(state, WakeClaimed(thread="th_1", job="j", attempt=attempt, **claim, **BY))
    assert settle(thread, "reviewer", "j", 1, BY) == []
    assert settle(thread, "exec", "j", 2, BY) == []
    assert settle(thread, "reviewer", "k", 2, BY) == []
    assert [type(event) for event in settle(thread, "reviewer", "j", 2, BY)] == [WakeDelivered]


def any_attempt(thread: Thread, agent: str, job: str, attempt: int, origin: dict[str, Any]) -> list:
    """Whatever the target says ends its wake."""
    known = thread.jobs.get(job)
    if known is None or known.target != agent:
        return []
    return [WakeDelivered(thread=thread.id, job=job, attempt=attempt, by="marker", **origin)]


def check_numbers_have_no_gap_and_keys_count_once(post: Callable[..., list]) -> None:
    state, thread = begun()
    for body, key in (("a", "k"), ("a", "k"), ("b", None), ("b", None)):
        for event in post(thread, said(body, key), DEFAULTS, EXEC, NOW):
            fold(state, event)
    assert (thread.last_seq, len(thread.places)) == (3, 3)
    assert thread.keys["exec k"].seq == 1
    outcome = "taken"
    try:
        post(thread, said("else", "k"), DEFAULTS, EXEC, NOW)
    except BridgeFault as fault:
        outcome = fault.wire
    assert outcome == "IDEMPOTENCY_CONFLICT"


def without_keys(thread: Thread, posting: Posting, *told: Any) -> list:
    return rules.post(thread, said(posting.body), *told)


def check_a_cursor_only_rises(move: Callable[..., list]) -> None:
    state, thread = begun()
    for _ in range(3):
        for event in rules.post(thread, said("x"), DEFAULTS, EXEC, NOW):
            fold(state, event)
    outcomes = []
    for seq in (2, 1, 4, 3):
        try:
            for event in move(thread, "reviewer", seq, None, REVIEWER, NOW):
                fold(state, event)
            outcomes.append(thread.cursors.get("reviewer"))
        except BridgeFault as fault:
            outcomes.append(fault.wire)
    assert outcomes == [2, "CONFLICT", "INVALID_ARGUMENT", 3]


def any_cursor(thread: Thread, agent: str, seq: int, message: None, actor: Actor, now: float) -> list:
    thread.cursors.pop(agent, None)
    return rules.move_cursor(thread, agent, seq, message, actor, now)


def check_tries_end_and_each_way_is_taken(fail: Callable[..., list]) -> None:
    """Three triggers, two resumes, one spawn, and then no more."""
    state, thread = begun()
    fold(state, SessionSeen(agent="reviewer", session="s", runtime="r", managed=True, resumable=True, status="idle",
                            **(BY | {"actor": "reviewer"})))  # fmt: skip
    fold(state, WakeQueued(thread="th_1", job="j", target="reviewer", reason="r", prompt="p", seq=0, **BY))
    job, taken = thread.jobs["j"], []
    claim = {"holder": "h", "session": "s", "runtime": "r", "lease_until": NOW + 30}
    for attempt in range(1, 20):
        step = job.step or Step.TRIGGER
        taken.append(str(step))
        fold(state, WakeClaimed(thread="th_1", job="j", attempt=attempt, step=step, **claim, **BY))
        events = fail(state, job, "ACK_TIMEOUT", DEFAULTS, NOW)
        for event in events:
            fold(state, event)
        if not any(isinstance(event, WakeFailed) for event in events):
            break
    assert taken == ["trigger"] * 3 + ["resume"] * 2 + ["spawn"]
    assert thread.undeliverable == {"reviewer": (0, "ACK_TIMEOUT")}


def for_ever(state: BridgeState, job: Any, reason: str, limits: Any, now: float) -> list:
    job.tries = 0
    return waking.fail(state, job, reason, limits, now)


BARS = [
    Bar(
        check_an_acknowledgement_of_another_attempt_is_fenced,
        real=lambda _: waking.settled_by_marker,
        null=lambda _: lambda *told: [],
        planted={"ends with any attempt": lambda _: any_attempt},
    ),
    Bar(
        check_numbers_have_no_gap_and_keys_count_once,
        real=lambda _: rules.post,
        null=lambda _: lambda *told: [],
        planted={"forgets keys": lambda _: without_keys},
    ),
    Bar(
        check_a_cursor_only_rises,
        real=lambda _: rules.move_cursor,
        null=lambda _: lambda *told: [],
        planted={"lets it fall": lambda _: any_cursor},
    ),
    Bar(
        check_tries_end_and_each_way_is_taken,
        real=lambda _: waking.fail,
        null=lambda _: lambda *told: [],
        planted={"tries for ever": lambda _: for_ever},
    ),
]

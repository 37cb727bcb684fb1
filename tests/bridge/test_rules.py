"""The rules of threads, messages and cursors, at their limits: what just goes is done, one more is refused."""

from typing import Any

import pytest

from control_plane.bridge import events as e
from control_plane.bridge import rules
from control_plane.bridge.faults import (
    BridgeFault,
    Forbidden,
    IdempotencyConflict,
    InvalidArgument,
    InvalidTransition,
    NotFound,
    Stale,
    WorkspaceMismatch,
)
from control_plane.bridge.rules import Actor, Posting
from control_plane.bridge.state import BridgeState, Session, fold
from control_plane.bridge.terms import (
    DEFAULTS,
    LONGEST_BODY,
    LONGEST_KEY,
    LONGEST_METADATA,
    LONGEST_REASON,
    LONGEST_TITLE,
    MOST_PARTICIPANTS,
    SYSTEM,
    Kind,
    Status,
    ThreadType,
)

ANN, BOB = Actor("ann", "participant", "w", request="r"), Actor("bob", "participant", "w")
EVENT = {"kind": Kind.EVENT}


def begun(*participants: str) -> BridgeState:
    state = BridgeState()
    for event in rules.create_thread("th_1", "w", "words", ThreadType.WORKFLOW, participants or ("ann", "bob"), ANN, 1):
        fold(state, event)
    return state


def saying(body: str = "hello", **more: Any) -> Posting:
    return Posting(**({"message": "", "kind": Kind.CHAT, "body": body, "digest": body} | more))


def post(state: BridgeState, said: Posting, actor: Actor = ANN) -> list[Any]:
    events = rules.post(state.threads["th_1"], said, DEFAULTS, actor, 2.0)
    for event in events:
        fold(state, event)
    return events


def test_who_may_look_at_a_thread() -> None:
    state = begun()
    assert rules.seen_thread(state, "th_1", ANN).id == "th_1"
    assert rules.seen_thread(state, "th_1", Actor("eve", "auditor", "w")).id == "th_1"
    assert rules.seen_thread(state, "th_1", Actor("eve", "coordinator")).id == "th_1"
    with pytest.raises(Forbidden):
        rules.seen_thread(state, "th_1", Actor("eve", "participant", "w"))
    with pytest.raises(WorkspaceMismatch):
        rules.seen_thread(state, "th_1", Actor("ann", "coordinator", "other"))
    with pytest.raises(NotFound):
        rules.seen_thread(state, "th_2", ANN)
    state.threads["th_1"].archived = True
    with pytest.raises(NotFound):
        rules.seen_thread(state, "th_1", ANN)


def test_what_happened_names_who_did_it() -> None:
    (event,) = rules.create_thread("th_1", "w", "words", ThreadType.WORKFLOW, ("ann",), ANN, 1.5)
    assert (event.at, event.workspace, event.actor, event.role, event.request) == (1.5, "w", "ann", "participant", "r")


@pytest.mark.parametrize(
    ("title", "participants", "fine"),
    [
        ("x" * LONGEST_TITLE, ("ann",), True), ("x" * (LONGEST_TITLE + 1), ("ann",), False), ("  ", ("ann",), False),
        ("a\nb", ("ann",), False), ("words", (), False), ("words", ("ann", "ann"), False), ("words", (SYSTEM,), False),
        ("words", ("a b",), False), ("words", ("a" * 128,), True), ("words", ("a" * 129,), False),
        ("words", tuple(f"a{number}" for number in range(MOST_PARTICIPANTS)), True),
        ("words", tuple(f"a{number}" for number in range(MOST_PARTICIPANTS + 1)), False),
    ],
)  # fmt: skip
def test_a_thread_begins_within_its_limits(title: str, participants: tuple[str, ...], fine: bool) -> None:
    def begin() -> list[Any]:
        return rules.create_thread("th_1", "w", title, ThreadType.WORKFLOW, participants, ANN, 1.0)

    if fine:
        assert len(begin()) == 1
        return
    with pytest.raises(InvalidArgument):
        begin()


def test_those_who_come_and_go_are_counted() -> None:
    thread = begun().threads["th_1"]
    assert rules.add_participant(thread, "ann", ANN, 2.0) == []
    assert [event.agent for event in rules.add_participant(thread, "eve", ANN, 2.0)] == ["eve"]  # type: ignore[attr-defined]
    assert rules.remove_participant(thread, "eve", ANN, 2.0) == []
    assert len(rules.remove_participant(thread, "bob", ANN, 2.0)) == 1
    thread.participants = ["ann"]
    with pytest.raises(InvalidTransition, match="one participant"):
        rules.remove_participant(thread, "ann", ANN, 2.0)
    thread.participants = [f"a{number}" for number in range(MOST_PARTICIPANTS - 1)]
    assert len(rules.add_participant(thread, "eve", ANN, 2.0)) == 1
    thread.participants.append("last")
    with pytest.raises(InvalidArgument, match="at most"):
        rules.add_participant(thread, "eve", ANN, 2.0)
    with pytest.raises(InvalidArgument):
        rules.add_participant(thread, SYSTEM, ANN, 2.0)


LEGAL = {
    (Status.ACTIVE, Status.BLOCKED), (Status.ACTIVE, Status.RESOLVED), (Status.ACTIVE, Status.CLOSED),
    (Status.BLOCKED, Status.ACTIVE), (Status.RESOLVED, Status.CLOSED),
}  # fmt: skip


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("then", Status)
def test_a_thread_goes_only_where_it_may(before: Status, then: Status) -> None:
    thread = begun().threads["th_1"]
    thread.status = before
    if before is then:
        assert rules.change_status(thread, then, "why", {}, ANN, 2.0) == []
    elif (before, then) in LEGAL:
        (event,) = rules.change_status(thread, then, "why", {"a": 1}, ANN, 2.0)
        assert (event.before, event.status, event.reason, event.metadata) == (before, then, "why", {"a": 1})  # type: ignore[attr-defined]
    else:
        with pytest.raises(InvalidTransition):
            rules.change_status(thread, then, "why", {}, ANN, 2.0)


@pytest.mark.parametrize(
    ("reason", "fine"),
    [("human_override: it is done", True), ("coordinator_override: ok", True), ("human_override: ", False),
     ("human_override", False), ("done human_override: x", False)],
)  # fmt: skip
def test_a_blocked_thread_is_closed_by_an_override_that_says_why(reason: str, fine: bool) -> None:
    thread = begun().threads["th_1"]
    thread.status = Status.BLOCKED
    if fine:
        assert len(rules.change_status(thread, Status.CLOSED, reason, {}, ANN, 2.0)) == 1
        return
    with pytest.raises(BridgeFault):
        rules.change_status(thread, Status.CLOSED, reason, {}, ANN, 2.0)


def test_a_status_that_was_expected_otherwise_is_stale() -> None:
    thread = begun().threads["th_1"]
    with pytest.raises(Stale):
        rules.change_status(thread, Status.CLOSED, "why", {}, ANN, 2.0, expected=Status.BLOCKED)
    assert len(rules.change_status(thread, Status.CLOSED, "why", {}, ANN, 2.0, expected=Status.ACTIVE)) == 1
    with pytest.raises(InvalidArgument):
        rules.change_status(thread, Status.CLOSED, " ", {}, ANN, 2.0)
    with pytest.raises(InvalidArgument):
        rules.change_status(thread, Status.CLOSED, "why", {"a": "x" * LONGEST_METADATA}, ANN, 2.0)


def test_messages_are_numbered_and_a_repeat_is_posted_once() -> None:
    state = begun()
    said = saying(key="k", to=("bob",), in_reply_to=None, metadata={"a": 1})
    (first,) = post(state, said)
    assert (first.seq, first.message, first.to, first.key, first.metadata) == (1, "msg_1_1", ("bob",), "k", {"a": 1})
    assert post(state, said) == []
    with pytest.raises(IdempotencyConflict):
        post(state, saying("other", key="k"))
    # Another's key is another key, and none is none.
    assert [event.seq for event in (*post(state, saying(key="k"), BOB), *post(state, saying()))] == [2, 3]
    assert [event.seq for event in post(state, saying(in_reply_to="msg_1_1"))] == [4]
    assert [event.seq for event in post(state, saying(in_reply_to="msg_1_4"))] == [5]


@pytest.mark.parametrize(
    ("more", "fine"),
    [
        ({"body": "x" * LONGEST_BODY}, True), ({"body": "x" * (LONGEST_BODY + 1)}, False), ({"body": " \n"}, False),
        ({"key": "x" * LONGEST_KEY}, True), ({"key": "x" * (LONGEST_KEY + 1)}, False), ({"key": ""}, False),
        ({"key": "a\n"}, False), ({"to": ("eve",)}, False), ({"to": ("bob", "bob")}, False),
        ({"in_reply_to": "msg_1_1"}, False), ({"in_reply_to": "msg_1_0"}, False), ({"in_reply_to": "x"}, False),
        ({"schema_version": 0}, False), ({"schema_version": 2}, False),
        ({"metadata": {"a": "x" * (LONGEST_METADATA - 8)}}, True),
        ({"metadata": {"a": "x" * (LONGEST_METADATA - 7)}}, False),
        (EVENT, False), ({**EVENT, "metadata": {"event_type": "nonsense"}}, False),
        ({**EVENT, "metadata": {"event_type": "fix_pushed"}}, True),
    ],
)  # fmt: skip
def test_what_is_posted_is_checked_at_its_limits(more: dict[str, Any], fine: bool) -> None:
    if fine:
        assert len(post(begun(), saying(**more))) == 1
        return
    with pytest.raises(InvalidArgument):
        post(begun(), saying(**more))


def test_a_message_may_name_as_many_as_take_part() -> None:
    names = tuple(f"a{number}" for number in range(MOST_PARTICIPANTS))
    rules.check_posting(saying(to=names))
    with pytest.raises(InvalidArgument):
        rules.check_posting(saying(to=(*names, "one-more")))


def test_a_closed_thread_takes_nothing_more() -> None:
    state = begun()
    state.threads["th_1"].status = Status.CLOSED
    with pytest.raises(InvalidTransition):
        post(state, saying())
    with pytest.raises(InvalidTransition):
        rules.add_participant(state.threads["th_1"], "eve", ANN, 2.0)
    state.threads["th_1"].status = Status.RESOLVED
    assert len(post(state, saying())) == 1


def turn(state: BridgeState, number: int, **more: Any) -> list[Any]:
    return post(state, saying(f"hello {number}", **more), BOB if number % 2 else ANN)


def test_turns_without_progress_block_and_progress_begins_anew() -> None:
    state, most = begun(), DEFAULTS.turns_without_progress
    for number in range(most):
        assert len(turn(state, number)) == 1
    posted, blocked = turn(state, most)
    assert (blocked.status, blocked.guard, blocked.before, blocked.actor, blocked.request) == (
        Status.BLOCKED, "no-progress", Status.ACTIVE, SYSTEM, posted.request,
    )  # fmt: skip
    # What is blocked is not blocked again.
    assert len(turn(state, most + 1)) == 1
    for kind in ("fix_pushed", "finding_verified", "finding_rejected", "thread_resolved"):
        state = begun()
        for number in range(most):
            turn(state, number)
        assert len(turn(state, most, **EVENT, metadata={"event_type": kind})) == 1


def test_who_goes_on_talking_takes_no_turns_and_the_bridge_takes_none() -> None:
    state = begun()
    for _ in range(DEFAULTS.turns_without_progress + 5):
        assert len(post(state, saying())) == 1
    state = begun()
    for number in range(DEFAULTS.turns_without_progress):
        turn(state, number)
    told = rules.post(state.threads["th_1"], saying(kind=Kind.SYSTEM), DEFAULTS, Actor(SYSTEM, SYSTEM), 2.0)
    assert len(told) == 1


def test_the_same_finding_too_often_blocks() -> None:
    state, finding = begun(), {**EVENT, "metadata": {"event_type": "finding_reported"}}
    for number in range(DEFAULTS.identical_findings - 1):
        assert len(post(state, saying("It leaks", **finding))) == 1, number
    assert len(post(state, saying("it  LEAKS too", **finding))) == 1
    _, blocked = post(state, saying("it  LEAKS", **finding))
    assert blocked.guard == "identical-finding"


def test_whoever_escalates_blocks_without_a_guard() -> None:
    _, blocked = post(begun(), saying("help", **EVENT, metadata={"event_type": "thread_escalated"}))
    assert (blocked.status, blocked.guard, blocked.reason) == (Status.BLOCKED, "", "escalated by a participant")


def test_a_cursor_goes_forward_to_what_there_is() -> None:
    state = begun()
    post(state, saying())
    post(state, saying())
    thread = state.threads["th_1"]
    (moved,) = rules.move_cursor(thread, "bob", 1, "msg_1_1", BOB, 3.0)
    assert isinstance(moved, e.CursorMoved)
    assert (moved.agent, moved.last_read_seq, moved.last_acked_message) == ("bob", 1, "msg_1_1")
    assert len(rules.move_cursor(thread, "bob", 2, "msg_1_2", BOB, 3.0)) == 1
    assert rules.move_cursor(thread, "bob", 0, None, BOB, 3.0) == []
    for seq, message in ((3, None), (1, "msg_1_3"), (1, "msg_1_0"), (1, "msg_2_1")):
        with pytest.raises(InvalidArgument):
            rules.move_cursor(thread, "bob", seq, message, BOB, 3.0)
    thread.cursors["bob"] = 2
    assert rules.move_cursor(thread, "bob", 2, None, BOB, 3.0) == []
    with pytest.raises(Stale):
        rules.move_cursor(thread, "bob", 1, None, BOB, 3.0)


def test_a_heartbeat_that_is_late_says_nothing_new() -> None:
    known = Session("bob", "w", "ses", "opencode", True, True, "idle", 5.0)

    def beat(now: float, session: str = "ses", known: Session | None = known) -> list[Any]:
        return rules.heartbeat(
            known, "w", session, "opencode", managed=True, resumable=True, status="busy", actor=BOB, now=now
        )

    assert (beat(4.9), len(beat(5.0)), len(beat(1.0, known=None))) == ([], 1, 1)
    assert len(beat(6.0, "s" * 128)) == 1
    for session in ("", "s" * 129, "a\n"):
        with pytest.raises(InvalidArgument):
            beat(6.0, session)


def test_only_what_is_closed_is_archived() -> None:
    thread = begun().threads["th_1"]
    with pytest.raises(InvalidTransition):
        rules.archive(thread, "done", ANN, 2.0)
    thread.status = Status.CLOSED
    assert len(rules.archive(thread, "x" * LONGEST_REASON, ANN, 2.0)) == 1
    for reason in ("", "x" * (LONGEST_REASON + 1), "a\nb"):
        with pytest.raises(InvalidArgument):
            rules.archive(thread, reason, ANN, 2.0)


@pytest.mark.parametrize(
    ("message", "seq"),
    [("msg_1_7", 7), ("msg_1_", 0), ("msg_2_7", 0), ("7", 0), ("msg_1_-7", 0), ("msg_1_٣", 0),
     (f"msg_1_{'9' * 15}", int("9" * 15)), (f"msg_1_{'9' * 16}", 0)],
)  # fmt: skip
def test_what_an_id_names(message: str, seq: int) -> None:
    assert rules.seq_of("th_1", message) == seq
    assert rules.message_id("th_1", 7) == "msg_1_7"


def test_metadata_that_cannot_be_kept_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    for bad in ({"a": object()}, deep):
        with pytest.raises(InvalidArgument):
            rules.check_metadata(bad)
    rules.check_metadata({"a": [1, 2.5, None, True]})

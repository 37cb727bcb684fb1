"""Threads, messages, cursors and sessions, on both stores."""

import msgspec
import pytest

from control_plane.bridge.auditing import audit_row
from control_plane.bridge.projection import BRIDGE
from control_plane.bridge.rules import Actor
from control_plane.bridge.state import Status
from tests.bridge.conftest import AUDITOR, BOSS, EXEC, REVIEWER, House


@pytest.mark.requirement("BRIDGE-01", "BRIDGE-42", "BRIDGEOPS-03", "BRIDGEOPS-04", "BRIDGEOPS-09", "BRIDGEOPS-81")
def test_messages_are_numbered_without_a_gap_and_read_page_by_page(either: House) -> None:
    thread = either.thread()
    for n in range(1, 8):
        actor = EXEC if n % 2 else REVIEWER
        assert either.say(thread, actor, f"message {n}")["seq"] == n
    page = either.read(thread, limit=3)
    assert ([m["seq"] for m in page["messages"]], page["next_seq"], page["has_more"]) == ([1, 2, 3], 3, True)
    page = either.read(thread, since_seq=3, limit=50)
    assert ([m["body"] for m in page["messages"]], page["has_more"]) == ([f"message {n}" for n in range(4, 8)], False)
    assert either.read(thread, since_seq=7) == {"messages": [], "next_seq": 7, "has_more": False}
    either.restart()
    assert [m["body"] for m in either.read(thread)["messages"]] == [f"message {n}" for n in range(1, 8)]
    assert either.call("get_thread", EXEC, thread_id=thread)["last_seq"] == 7


@pytest.mark.requirement("BRIDGEOPS-20", "BRIDGEOPS-80")
def test_an_idempotency_key_belongs_to_one_payload_of_one_sender(either: House) -> None:
    thread = either.thread()
    first = either.say(thread, body="once", idempotency_key="k1")
    either.clock.pass_by(60)
    assert either.say(thread, body="once", idempotency_key="k1") == first
    assert either.refused("post_message", EXEC, thread_id=thread, kind="chat", body="else", idempotency_key="k1") == (
        "IDEMPOTENCY_CONFLICT"
    )
    assert either.say(thread, REVIEWER, body="else", idempotency_key="k1")["seq"] == 2
    either.restart()
    assert either.say(thread, body="once", idempotency_key="k1") == first
    assert either.call("get_thread", EXEC, thread_id=thread)["last_seq"] == 2


@pytest.mark.requirement("BRIDGEOPS-05", "BRIDGEOPS-79")
@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_every_transition_is_allowed_or_refused(house: House, before: Status, after: Status) -> None:
    thread = house.thread()
    if before is not Status.ACTIVE:
        house.bridge.set_status(thread, before, "to begin with", BOSS)
    allowed = {
        "active": {"active", "blocked", "resolved", "closed"}, "blocked": {"blocked", "active"},
        "resolved": {"resolved", "closed"}, "closed": {"closed"},
    }  # fmt: skip
    asked = {"thread_id": thread, "status": after, "reason": "because"}
    if after in allowed[before]:
        answer = house.call("update_thread_status", BOSS, **asked)
        assert (answer["previous_status"], answer["status"]) == (before, after)
        assert house.topics().count("thread-status-changed") == (before != "active") + (before != after)
    else:
        assert house.refused("update_thread_status", BOSS, **asked) == "INVALID_THREAD_TRANSITION"


def test_a_blocked_thread_is_closed_by_an_override_and_a_closed_one_takes_nothing(either: House) -> None:
    thread = either.thread()
    either.bridge.set_status(thread, Status.BLOCKED, "stuck", BOSS)
    asked = {"thread_id": thread, "status": "closed"}
    for reason in ("enough", "human_override:", "human_override:  "):
        assert either.refused("update_thread_status", BOSS, reason=reason, **asked) == "INVALID_THREAD_TRANSITION"
    assert either.refused("update_thread_status", BOSS, reason="r", expected_status="active", **asked) == "CONFLICT"
    either.call("update_thread_status", BOSS, reason="human_override: enough", **asked)
    assert (
        either.refused("post_message", EXEC, thread_id=thread, kind="chat", body="late") == "INVALID_THREAD_TRANSITION"
    )
    assert either.read(thread)["messages"] == []


def test_a_cursor_only_rises(either: House) -> None:
    thread = either.thread()
    for _ in range(3):
        either.say(thread)
    either.ack(thread, 2)
    either.ack(thread, 2)
    assert either.refused("ack_read", REVIEWER, thread_id=thread, last_read_seq=1) == "CONFLICT"
    assert either.refused("ack_read", REVIEWER, thread_id=thread, last_read_seq=4) == "INVALID_ARGUMENT"
    asked = {"thread_id": thread, "last_read_seq": 3}
    assert either.refused("ack_read", REVIEWER, last_acked_message_id="msg_else_3", **asked) == "INVALID_ARGUMENT"
    either.call("ack_read", REVIEWER, last_acked_message_id=either.read(thread)["messages"][2]["message_id"], **asked)
    assert either.topics().count("cursor-moved") == 2
    assert either.call("get_thread", EXEC, thread_id=thread)["cursors"] == {"reviewer": 3}


@pytest.mark.requirement("BRIDGEOPS-82", "BRIDGE-18", "BRIDGEOPS-27")
def test_directed_and_broadcast_messages_and_who_is_waited_for(house: House) -> None:
    thread = house.thread("exec", "reviewer", "third")
    third = Actor("third", "participant", "w1")
    house.say(thread, to=["reviewer"])
    waiting = house.call("summarize_thread", BOSS, thread_id=thread)["waited_for"]
    assert [one["agent_id"] for one in waiting] == ["reviewer"]
    assert [m["to"] for m in house.read(thread, third)["messages"]] == [["reviewer"]]
    house.clock.pass_by(5)
    house.say(thread, REVIEWER, "to all")
    waiting = house.call("summarize_thread", BOSS, thread_id=thread)["waited_for"]
    assert [(one["agent_id"], one["up_to_seq"]) for one in waiting] == [("reviewer", 1), ("exec", 2), ("third", 2)]
    assert (
        house.refused("post_message", EXEC, thread_id=thread, kind="chat", body="x", to=["nobody"])
        == "INVALID_ARGUMENT"
    )
    house.ack(thread, 2)
    assert len(house.call("summarize_thread", BOSS, thread_id=thread)["waited_for"]) == 2


def test_a_summary_names_open_findings_decisions_and_speakers(either: House) -> None:
    thread = either.thread()
    first = either.say(thread, REVIEWER, "off by one", event="finding_reported")["message_id"]
    second = either.say(thread, REVIEWER, "no test", event="finding_reported")["message_id"]
    either.say(thread, EXEC, "pushed", event="fix_pushed", in_reply_to=first)
    either.say(thread, REVIEWER, "good", event="finding_verified", in_reply_to=first)
    told = either.call("summarize_thread", AUDITOR, thread_id=thread)
    assert [(one["finding_id"], one["body"]) for one in told["open_items"]] == [(second, "no test")]
    assert [(one["decision"], one["finding_id"]) for one in told["decisions"]] == [
        ("fix_pushed", first), ("finding_verified", first),
    ]  # fmt: skip
    assert (told["participants"], told["last_status"]) == (["exec", "reviewer"], "active")
    assert "reviewer (3), exec (1)" in told["summary"]
    short = either.call("summarize_thread", AUDITOR, thread_id=thread, max_messages=1)
    assert [one["finding_id"] for one in short["open_items"]] == [second]
    assert len(short["decisions"]) == 1


@pytest.mark.requirement("BRIDGE-41", "BRIDGEOPS-89", "BRIDGEOPS-16", "BRIDGEOPS-100")
def test_fields_of_a_later_revision_are_tolerated_and_another_schema_is_refused(either: House) -> None:
    thread = either.thread()
    asked = {"thread_id": thread, "kind": "chat", "body": "x"}
    assert either.call("post_message", EXEC, schema_version=1, invented_later={"a": [1]}, **asked)["seq"] == 1
    for version in (0, -1, 2, 99):
        with pytest.raises(Exception, match="schema_version") as caught:
            either.call("post_message", EXEC, schema_version=version, **asked)
        assert ("older" if version < 1 else "newer") in str(caught.value)
    assert either.refused("post_message", EXEC, schema_version="1", **asked) == "INVALID_ARGUMENT"
    assert either.read(thread)["messages"][0]["schema_version"] == 1


@pytest.mark.requirement("BRIDGE-19")
def test_participants_come_and_go_by_events_that_name_who_did_it(either: House) -> None:
    thread = either.thread()
    third = Actor("third", "participant", "w1")
    assert either.refused("read_messages", third, thread_id=thread) == "FORBIDDEN"
    either.say(thread)
    either.bridge.add_participant(thread, "third", BOSS)
    either.bridge.add_participant(thread, "third", BOSS)
    assert len(either.read(thread, third)["messages"]) == 1
    either.bridge.remove_participant(thread, "third", BOSS)
    assert either.refused("post_message", third, thread_id=thread, kind="chat", body="x") == "FORBIDDEN"
    rows = [audit_row(one) for one in either.plane.ledger.read(limit=1000)]
    told = [
        (r["operation"], r["actor_agent_id"], r["payload"]["agent"])
        for r in rows
        if r and "participant" in r["operation"]
    ]
    assert told == [("add_participant", "boss", "third"), ("remove_participant", "boss", "third")]


def test_who_left_a_thread_is_waited_for_no_more(either: House) -> None:
    thread = either.thread()
    either.bridge.add_participant(thread, "third", BOSS)
    either.say(thread)
    assert either.plane.folder.state(BRIDGE).threads[thread].unread("third")
    either.bridge.remove_participant(thread, "third", BOSS)
    either.bridge.add_participant(thread, "third", BOSS)
    known = either.plane.folder.state(BRIDGE).threads[thread]
    assert (known.unread("third"), "third" in known.since, known.unread("reviewer")) == (False, False, True)


@pytest.mark.requirement("BRIDGE-20", "BRIDGEOPS-14", "BRIDGEOPS-22")
def test_data_is_kept_until_somebody_archives_a_closed_thread(either: House) -> None:
    thread = either.thread()
    either.say(thread)
    either.clock.pass_by(10 * 365 * 86400)
    assert len(either.read(thread)["messages"]) == 1
    with pytest.raises(Exception, match="closed"):
        either.bridge.archive(thread, "old", BOSS)
    either.bridge.set_status(thread, Status.CLOSED, "done", BOSS)
    either.bridge.archive(thread, "old", BOSS)
    assert either.refused("read_messages", EXEC, thread_id=thread) == "NOT_FOUND"
    either.restart()
    assert either.refused("get_thread", BOSS, thread_id=thread) == "NOT_FOUND"
    assert either.topics().count("message-posted") == 1


@pytest.mark.requirement("BRIDGE-21")
def test_a_filter_sees_bodies_only_where_one_is_put_in(house: House) -> None:
    thread = house.thread()
    house.say(thread, body="the key is hunter2")
    house.bridge.filter = lambda body: body.replace("hunter2", "[removed]")
    house.say(thread, body="the key is hunter2")
    assert [m["body"] for m in house.read(thread)["messages"]] == ["the key is hunter2", "the key is [removed]"]


@pytest.mark.requirement("BRIDGE-05", "BRIDGE-23", "BRIDGEOPS-06", "BRIDGEOPS-55")
def test_every_operation_and_every_refusal_is_a_row_of_the_audit(house: House) -> None:
    thread = house.thread()
    actor = msgspec.structs.replace(EXEC, request="req-7")
    house.say(thread, actor)
    house.refused(
        "trigger_participant", actor, thread_id=thread, target_agent_id="reviewer", reason="r", trigger_prompt="p"
    )
    house.plane.flush()
    rows = [row for one in house.plane.ledger.read(limit=1000) if (row := audit_row(one))]
    assert [(r["operation"], r["actor_agent_id"], r["actor_role"], r["result"]) for r in rows] == [
        ("create_thread", "boss", "coordinator", "ok"), ("post_message", "exec", "participant", "ok"),
        ("trigger_participant", "exec", "participant", "FORBIDDEN"),
    ]  # fmt: skip
    assert [r["request_id"] for r in rows] == [None, "req-7", "req-7"]
    assert list(rows[2]["payload"]["trace"]) == ["request: fits", "agent exec: the token's", "role: refused"]
    assert (rows[1]["resource_type"], rows[1]["thread_id"]) == ("message", thread)
    for _ in range(100):
        house.refused("read_messages", EXEC, thread_id="th_nowhere")
    house.clock.pass_by(2)
    house.refused("read_messages", EXEC, thread_id="th_nowhere")
    house.plane.flush()
    counts = [
        r["payload"]["count"]
        for one in house.plane.ledger.read(limit=1000)
        if (r := audit_row(one)) and r["result"] == "NOT_FOUND"
    ]
    assert counts == [1, 100]


def test_two_processes_see_each_other_at_once(tmp_path, house: House) -> None:
    thread = house.thread()
    with house.open() as other:
        for n in range(10):
            house.say(thread, body=f"{n} here")
            other.bridge.call(
                "post_message",
                REVIEWER,
                msgspec.json.encode({"thread_id": thread, "kind": "chat", "body": f"{n} there"}),
            )
        told = house.read(thread)["messages"]
    assert [m["seq"] for m in told] == list(range(1, 21))
    assert [m["body"] for m in told[:4]] == ["0 here", "0 there", "1 here", "1 there"]


@pytest.mark.requirement("BRIDGEOPS-73", "BRIDGEOPS-10", "BRIDGE-10", "BRIDGEOPS-84")
def test_twenty_turns_without_progress_block_a_thread(either: House) -> None:
    thread = either.thread()
    for n in range(20):
        assert either.say(thread, (EXEC, REVIEWER)[n % 2], f"turn {n}")["thread_status"] == "active"
    either.say(thread, (EXEC, REVIEWER)[19 % 2], "the same speaker goes on: no turn")
    assert either.say(thread, EXEC, "the twentieth turn")["thread_status"] == "blocked"
    assert either.bridge.state.totals.loops == {"no-progress": 1}
    either.bridge.set_status(thread, Status.ACTIVE, "go on", BOSS)
    assert either.say(thread, REVIEWER, "again")["thread_status"] == "active"


def test_progress_begins_the_count_anew(house: House) -> None:
    thread = house.thread()
    for n in range(60):
        event = "fix_pushed" if n % 19 == 18 else ""
        assert house.say(thread, (EXEC, REVIEWER)[n % 2], f"turn {n}", event=event)["thread_status"] == "active"


@pytest.mark.requirement("BRIDGEOPS-74", "BRIDGEOPS-51")
def test_the_same_finding_three_times_blocks_a_thread(either: House) -> None:
    thread = either.thread()
    for n, body in enumerate(("Off by one", "off  by ONE", "another", "off by one ")):
        answer = either.say(thread, REVIEWER, body, event="finding_reported")
        either.say(thread, EXEC, f"fix {n}", event="fix_pushed")
        assert answer["thread_status"] == ("blocked" if n == 3 else "active")
    assert either.bridge.state.totals.loops == {"identical-finding": 1}


def test_a_heartbeat_that_is_older_is_ignored(house: House) -> None:
    house.beat(status="active")
    house.clock.pass_by(-30)
    house.beat(status="offline")
    assert house.bridge.state.sessions["w1 reviewer"].status == "active"
    house.clock.pass_by(31)
    house.beat(status="offline")
    assert house.bridge.state.sessions["w1 reviewer"].status == "offline"


def test_numbers_that_others_cannot_read_are_not_kept(house: House) -> None:
    thread = house.thread()
    for number in (10**30, 2**64, -(2**63) - 1):
        for metadata in ({"n": number}, {"a": [{"b": [number]}]}):
            assert house.refused("post_message", EXEC, thread_id=thread, kind="chat", body="x", metadata=metadata)
    kept = {"n": [2**64 - 1, -(2**63), 1.5, True]}
    house.say(thread, metadata=kept)
    assert house.read(thread)["messages"][0]["metadata"] == kept

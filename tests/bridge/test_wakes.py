"""Wakes on a clock set by hand: every timer of the seed to the second, with and without a restart before each look."""

import pytest

from control_plane.bridge.drivers import SENT, Order, Outcome
from control_plane.bridge.terms import DEFAULTS, JobStatus, Status, Step
from control_plane.errors import LedgerUnavailable
from control_plane.watching import supervision
from tests.bridge.conftest import BOSS, EXEC, REVIEWER, House

BUSY, GONE = Outcome("busy", "OPERATOR_BUSY"), Outcome("failed", "RUNTIME_NOT_FOUND")


@pytest.fixture(params=["in one life", "restarted before each look"])
def steps(request: pytest.FixtureRequest, house: House) -> House:
    house.restarts = request.param != "in one life"
    return house


def told(house: House) -> list[tuple[str, int]]:
    return [(str(order.step), order.attempt) for order in house.runtime.orders]


def undeliverable(house: House, thread: str) -> list[str]:
    facts = house.call("get_thread", EXEC, thread_id=thread).get("undeliverable", [])
    return [f"{one['agent_id']}: {one['reason']}" for one in facts]


@pytest.mark.requirement("BRIDGE-06")
@pytest.mark.requirement("BRIDGEOPS-67", "BRIDGEOPS-68", "BRIDGEOPS-69", "BRIDGEOPS-70", "BRIDGEOPS-71", "BRIDGEOPS-75")
def test_the_defaults_are_those_of_the_seed(house: House) -> None:
    d = DEFAULTS
    assert (d.poll_s, d.ack_timeout_s, d.retries, d.quiet_s, d.recheck_s, d.longest_defer_s) == (5, 8, 2, 20, 5, 60)
    assert (d.turns_without_progress, d.identical_findings, d.resumes, d.stale_s) == (20, 3, 2, 43_200)
    assert (d.triggers_a_minute, d.parallel, d.backoff_s, d.longest_backoff_s) == (10, 10, 2, 60)
    assert (d.crash_loop, d.crash_window_s) == (3, 900)
    poll = supervision(house.supervisor)[0]
    assert (poll.name, poll.interval) == ("bridge-supervisor", 5.0)


@pytest.mark.requirement("BRIDGE-11", "BRIDGE-30", "BRIDGE-33", "BRIDGE-12", "BRIDGEOPS-68", "BRIDGEOPS-69")
@pytest.mark.requirement("BRIDGEOPS-75", "BRIDGEOPS-83", "BRIDGEOPS-77")
def test_nobody_acknowledges_trigger_three_times_resume_twice_spawn_once_then_a_dead_letter(steps: House) -> None:
    steps.runtimes["reviewer"] = "fake"
    steps.beat()
    thread = steps.thread()
    steps.clock.pass_by(1)
    steps.say(thread)
    steps.tick()
    assert told(steps) == [("trigger", 1)]
    # 8 s for the acknowledgement, then 2 s, then 4 s before the next try.
    plan = [
        (7.9, 1), (0.1, 1), (1.9, 1), (0.1, 2), (8, 2), (3.9, 2), (0.1, 3),
        (8, 3), (0, 4), (8, 4), (2, 5), (8, 5), (0, 6),
    ]  # fmt: skip
    for after, attempts in plan:
        steps.tick(after)
        assert len(told(steps)) == attempts, (after, attempts, steps.job(thread))
    assert [step for step, _ in told(steps)] == ["trigger"] * 3 + ["resume"] * 2 + ["spawn"]
    assert steps.job(thread).status is JobStatus.TRIGGERING
    steps.tick(59.9)
    assert not undeliverable(steps, thread)
    steps.tick(0.1)
    assert steps.job(thread).status is JobStatus.DEAD_LETTER
    assert undeliverable(steps, thread) == ["reviewer: ACK_TIMEOUT"]
    last = steps.read(thread, EXEC)["messages"][-1]
    assert (last["kind"], last["metadata"]["undeliverable"]) == ("system", "reviewer")
    # It is not tried again for the same messages, and what tells of it wakes nobody.
    for _ in range(3):
        steps.tick(3600)
    assert len(told(steps)) == 6
    assert steps.bridge.state.totals.wakes == {"failed": 1}


@pytest.mark.requirement("BRIDGEOPS-07", "BRIDGEOPS-85", "BRIDGE-24", "BRIDGEOPS-59", "BRIDGEOPS-11")
def test_unread_and_dormant_is_woken_and_the_trace_leads_from_the_request_to_the_wake(steps: House) -> None:
    steps.beat()
    thread = steps.thread()
    import msgspec

    said = steps.say(thread, msgspec.structs.replace(EXEC, request="req-1"), "please look")
    steps.tick()
    (order,) = steps.runtime.orders
    assert order.envelope().startswith(f"[BRIDGE_TRIGGER id={order.id} attempt=1 thread={thread} reason=unread] ")
    assert order.agent == "reviewer"
    job = steps.job(thread)
    assert (job.cause, job.request, job.status) == (said["message_id"], "req-1", JobStatus.TRIGGERING)
    claimed = next(t for n, t in steps.logged if n == "wake.claimed")
    assert claimed["request_id"] == "req-1"
    steps.clock.pass_by(3)
    steps.ack(thread, 1)
    job = steps.job(thread)
    assert (job.status, job.by, job.result) == (JobStatus.DELIVERED, "cursor", "triggered")
    assert steps.tick(5).idle
    assert len(steps.runtime.orders) == 1


@pytest.mark.requirement("BRIDGE-08")
def test_acknowledgements_are_fenced_by_job_and_attempt(steps: House) -> None:
    steps.beat()
    thread = steps.thread()
    steps.say(thread)
    steps.tick(1)
    steps.tick(8)
    steps.tick(2)
    first, second = steps.runtime.orders
    assert (first.id, first.attempt, second.id, second.attempt) == (first.id, 1, first.id, 2)
    for who, metadata in (
        (REVIEWER, {"trigger_id": first.id, "attempt": 1}),
        (REVIEWER, {"trigger_id": "trg_else", "attempt": 2}),
        (EXEC, {"trigger_id": first.id, "attempt": 2}),
    ):
        steps.say(thread, who, "here", metadata=metadata)
        assert steps.job(thread).status is JobStatus.TRIGGERING
    steps.say(thread, REVIEWER, "here", metadata={"trigger_id": first.id, "attempt": 2})
    assert (steps.job(thread).status, steps.job(thread).by) == (JobStatus.DELIVERED, "marker")


def test_a_heartbeat_after_the_wake_acknowledges_it_one_before_does_not(steps: House) -> None:
    steps.beat()
    thread = steps.thread()
    steps.say(thread)
    steps.clock.pass_by(1)
    steps.tick()
    steps.tick(1)
    assert steps.job(thread).status is JobStatus.TRIGGERING
    steps.beat(status="active")
    steps.tick()
    assert (steps.job(thread).status, steps.job(thread).by) == (JobStatus.DELIVERED, "heartbeat")


@pytest.mark.requirement("BRIDGEOPS-76")
def test_after_twelve_hours_of_silence_a_session_is_stale_and_a_new_one_is_spawned(steps: House) -> None:
    steps.runtimes["reviewer"] = "fake"
    steps.beat()
    for silence, step in ((12 * 3600, "trigger"), (12 * 3600 + 1, "spawn")):
        steps.beat()
        thread = steps.thread()
        steps.say(thread)
        steps.tick(silence)
        assert told(steps)[-1][0] == step
        steps.ack(thread, 1)
    assert steps.bridge.state.totals.wakes == {"triggered": 1, "fallback_spawned": 1}


@pytest.mark.requirement("BRIDGE-09", "BRIDGEOPS-13", "BRIDGEOPS-71", "BRIDGEOPS-72", "BRIDGEOPS-87")
def test_a_wake_waits_for_a_person_who_types_and_falls_back_after_a_minute(steps: House) -> None:
    answers = {"trigger": BUSY}
    steps.runtime.answer = lambda order: answers.get(str(order.step), SENT)
    steps.beat()
    thread = steps.thread()
    steps.say(thread)
    steps.tick(1)
    assert (steps.job(thread).status, steps.job(thread).why) == (JobStatus.DEFERRED, "OPERATOR_BUSY")
    assert steps.job(thread).due == steps.clock.now() + 5
    for _ in range(11):
        steps.tick(4.9)
        steps.tick(0.1)
        assert steps.job(thread).status is JobStatus.DEFERRED
    assert steps.topics().count("wake-deferred") == 12
    steps.tick(5)
    assert (steps.job(thread).status, steps.job(thread).step) == (JobStatus.FALLBACK_RESUME, Step.RESUME)
    assert steps.job(thread).why == "DEFER_TIMEOUT"
    steps.tick()
    assert told(steps) == [("resume", 13)]


def test_a_wake_that_was_put_off_goes_through_when_the_person_leaves(steps: House) -> None:
    steps.runtime.answer = lambda _: BUSY
    steps.beat()
    thread = steps.thread()
    steps.say(thread)
    steps.tick(1)
    steps.runtime.answer = lambda _: SENT
    steps.tick(5)
    assert told(steps) == [("trigger", 2)]
    assert steps.job(thread).tries == 1


@pytest.mark.requirement("BRIDGEOPS-12", "BRIDGEOPS-86")
@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (None, ("spawn", "RUNTIME_NOT_FOUND")),
        ({}, ("trigger", None)),
        ({"management_mode": "unmanaged"}, ("resume", "RUNTIME_UNMANAGED")),
        ({"management_mode": "unmanaged", "resumable": False}, ("spawn", "RUNTIME_UNMANAGED")),
        ({"status": "offline"}, ("resume", "RUNTIME_OFFLINE")),
        ({"status": "offline", "resumable": False}, ("spawn", "RUNTIME_OFFLINE")),
    ],
)
def test_what_is_known_of_the_session_decides_the_way(house: House, session, expected) -> None:
    house.runtimes["reviewer"] = "fake"
    if session is not None:
        house.beat(**session)
    thread = house.thread()
    answer = house.call(
        "trigger_participant", BOSS, thread_id=thread, target_agent_id="reviewer", reason="r", trigger_prompt="p"
    )
    step, reason = expected
    assert answer["action"] == ("trigger_runtime" if step == "trigger" else "fallback_required")
    assert (answer.get("fallback_action"), answer.get("fallback_reason")) == (None if reason is None else step, reason)
    assert (answer["result"], answer["job_status"]) == ("queued", "queued")
    house.tick()
    assert told(house) == [(step, 1)]


def test_where_nothing_can_be_started_the_sender_learns_at_once(steps: House) -> None:
    thread = steps.thread()
    steps.say(thread)
    steps.tick()
    assert undeliverable(steps, thread) == ["reviewer: RUNTIME_NOT_FOUND"]
    steps.tick(60)
    steps.say(thread, body="another")
    assert steps.tick(60).dead == 1
    steps.ack(thread, 4)
    assert undeliverable(steps, thread) == []


@pytest.mark.requirement("BRIDGE-10")
def test_three_crashes_in_a_quarter_of_an_hour_go_straight_to_spawn_and_then_stop(steps: House) -> None:
    steps.runtimes["reviewer"] = "fake"
    steps.beat(management_mode="unmanaged")
    thread = steps.thread()
    steps.runtime.answer = lambda order: Outcome("failed", "DRIVER_FAULT")
    tried: list[Step] = []

    def answer(order: Order) -> Outcome:
        tried.append(order.step)
        return Outcome("failed", "DRIVER_FAULT")

    steps.runtime.answer = answer
    for _ in range(4):
        steps.say(thread)
        for _ in range(5):
            steps.tick(3)
    assert tried == [Step.RESUME, Step.RESUME, Step.SPAWN, Step.SPAWN]
    assert undeliverable(steps, thread) == ["reviewer: CRASH_LOOP"]
    steps.clock.pass_by(900)
    steps.say(thread)
    steps.tick()
    assert tried[4:] == [Step.RESUME]


@pytest.mark.requirement("BRIDGE-10")
def test_ten_triggers_a_minute_for_one_thread_and_agent(steps: House) -> None:
    steps.beat(status="active")
    thread, other = steps.thread(), steps.thread()
    asked = {"target_agent_id": "reviewer", "reason": "r", "trigger_prompt": "p"}
    for n in range(1, 11):
        steps.say(thread)
        answer = steps.call("trigger_participant", BOSS, thread_id=thread, **asked)
        assert answer == steps.call("trigger_participant", BOSS, thread_id=thread, **asked)
        steps.ack(thread, n)
    assert steps.job(thread).result == "already_active"
    assert steps.refused("trigger_participant", BOSS, thread_id=thread, **asked) == "RATE_LIMITED"
    steps.call("trigger_participant", BOSS, thread_id=other, **asked)
    steps.clock.pass_by(60)
    steps.call("trigger_participant", BOSS, thread_id=thread, **asked)


def test_a_prompt_beyond_8192_bytes_is_refused(house: House) -> None:
    thread = house.thread()
    asked = {"thread_id": thread, "target_agent_id": "reviewer", "reason": "r"}
    assert house.refused("trigger_participant", BOSS, trigger_prompt="ü" * 4097, **asked) == "INVALID_ARGUMENT"
    house.call("trigger_participant", BOSS, trigger_prompt="ü" * 4096, **asked)


def test_at_most_ten_wakes_are_under_way(house: House) -> None:
    house.beat()
    threads = [house.thread() for _ in range(12)]
    for thread in threads:
        house.say(thread)
    house.tick(1)
    assert len(told(house)) == 10
    house.ack(threads[0], 1)
    house.tick()
    assert len(told(house)) == 11


def test_nobody_is_woken_for_a_blocked_thread_until_it_goes_on(house: House) -> None:
    house.beat()
    thread = house.thread()
    house.bridge.set_status(thread, Status.BLOCKED, "stuck", BOSS)
    house.say(thread)
    assert house.tick(1).idle
    house.bridge.set_status(thread, Status.ACTIVE, "go", BOSS)
    house.tick()
    assert len(told(house)) == 1


def test_a_closed_thread_ends_its_wakes(house: House) -> None:
    house.beat()
    thread = house.thread()
    house.say(thread)
    house.tick(1)
    house.bridge.set_status(thread, Status.CLOSED, "done", BOSS)
    house.tick()
    assert house.job(thread).why == "THREAD_CLOSED"


@pytest.mark.requirement("BRIDGEOPS-56")
def test_ticks_are_logged_as_completed_idle_or_failed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.beat()
    thread = house.thread()
    house.say(thread)
    house.tick(1)
    house.tick()

    def away(_: int | None = None) -> int:

        raise LedgerUnavailable("the disk is away")

    monkeypatch.setattr(house.plane.folder, "catch_up", away)
    house.tick()
    assert [name for name, _ in house.logged if name.startswith("tick")] == [
        "tick.completed",
        "tick.idle",
        "tick.failed",
    ]


@pytest.mark.requirement("BRIDGE-16", "BRIDGE-42")
def test_a_wake_from_message_to_acknowledgement_on_both_stores(either: House) -> None:
    either.beat()
    thread = either.thread()
    either.say(thread)
    either.tick(1)
    either.restart()
    either.ack(thread, 1)
    assert either.job(thread).result == "triggered"

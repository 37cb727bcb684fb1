"""What an orchestrator may rely on: the library's surface, and what it refuses before anything is written."""

import math
import threading
from pathlib import Path

import anyio
import pytest

from control_plane import Arm, ControlPlane, ControlPlaneError, Policy, Task
from control_plane.errors import LedgerClosed
from tests.plane.conftest import ARMS

FIX = Task(type="code.fix", repo="acme/api")


def traffic(plane: ControlPlane, arm: str):
    plane.flush()
    return plane.stats().arms.get(arm)


def events(plane: ControlPlane) -> int:
    plane.flush()
    return plane.ledger.size()


@pytest.mark.requirement("ROUTER-01")
def test_advice_names_everything_that_it_rests_on(plane):
    position = plane.ledger.size()
    advice = plane.advise(Task(type="code.fix", repo="acme/api", session="s1", budget_usd=0.5, deadline_ms=60_000))
    assert advice.arm in {arm.name for arm in ARMS}
    assert advice.model
    assert advice.strategy == "learned"
    assert [step.arm for step in advice.plan]
    assert 0.0 < advice.propensity <= 1.0
    assert 0.0 <= advice.confidence <= 1.0
    assert advice.reasons
    assert len(advice.policy_hash) == len(advice.path_hash) == 64
    assert advice.ledger_position == position
    assert not advice.should_pause


@pytest.mark.requirement("ROUTER-02")
def test_a_result_belongs_to_its_decision_or_to_an_arm(plane):
    advice = plane.advise(FIX)
    plane.record_result(advice.decision_id, success=True, latency_ms=1840, cost_usd=0.021)
    plane.record_result(arm="acme/cheap", task=FIX, success=False)
    assert traffic(plane, advice.arm).successes == 1
    assert traffic(plane, "acme/cheap").failures == 1


@pytest.mark.requirement("ROUTER-123")
def test_an_identical_repeat_changes_nothing(plane):
    advice = plane.advise(FIX)
    plane.record_result(advice.decision_id, success=True, cost_usd=0.02)
    before = events(plane)
    plane.record_result(advice.decision_id, success=True, cost_usd=0.02)
    assert events(plane) == before
    assert traffic(plane, advice.arm).results == 1


@pytest.mark.requirement("ROUTER-123")
def test_a_repeat_by_another_process_is_written_and_folded_once(open_plane):
    first = open_plane()
    advice = first.advise(FIX)
    first.record_result(advice.decision_id, success=True, cost_usd=0.02)
    first.flush()
    second = open_plane()
    second.record_result(advice.decision_id, success=True, cost_usd=0.02)
    assert traffic(second, advice.arm).results == 1
    assert second.stats().repeats == 1


@pytest.mark.requirement("ROUTER-124")
def test_a_changed_outcome_is_a_correction(plane):
    advice = plane.advise(FIX)
    plane.record_result(advice.decision_id, success=True, cost_usd=0.02)
    plane.record_result(advice.decision_id, success=False, cost_usd=0.05)
    seen = traffic(plane, advice.arm)
    assert (seen.results, seen.successes, seen.failures) == (1, 0, 1)
    assert math.isclose(seen.cost, 0.05)
    assert plane.stats().corrections == 1


@pytest.mark.requirement(
    "ROUTER-114", "ROUTER-115", "ROUTER-116", "ROUTER-117", "ROUTER-119", "ROUTER-120", "ROUTER-122"
)
@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda plane, given: plane.record_result(arm="nobody", success=True), "router.unknown-arm"),
        (lambda plane, given: plane.record_result("nonsense", success=True), "router.unknown-decision"),
        (lambda plane, given: plane.record_result("", success=True), "router.unknown-decision"),
        (lambda plane, given: plane.record_result(given[:-1] + "x", success=True), "router.unknown-decision"),
        (lambda plane, given: plane.record_result("f" + given, success=True), "router.unknown-decision"),
        (lambda plane, given: plane.record_result(given, latency_ms=-1), "input.invalid"),
        (lambda plane, given: plane.record_result(given, latency_ms=True), "input.invalid"),
        (lambda plane, given: plane.record_result(given, cost_usd=math.nan), "input.invalid"),
        (lambda plane, given: plane.record_result(given, cost_usd=math.inf), "input.invalid"),
        (lambda plane, given: plane.record_result(given, cost_usd="1"), "input.invalid"),
        (lambda plane, given: plane.record_result(given, success="yes"), "input.invalid"),
        (lambda plane, given: plane.record_result(given, success=1), "input.invalid"),
        (lambda plane, given: plane.record_result(given, error="bad luck"), "input.invalid"),
        (lambda plane, given: plane.record_result(given, step=7), "router.unknown-step"),
        (lambda plane, given: plane.record_result(given, step=-1), "router.unknown-step"),
        (lambda plane, given: plane.record_result(given, step="0"), "router.unknown-step"),
        (lambda plane, given: plane.record_result(success=True), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="")), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type=None)), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type=7)), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", candidates=("nobody",))), "router.unknown-arm"),
        (lambda plane, given: plane.advise(Task(type="x", candidates=())), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", override="nobody")), "router.unknown-arm"),
        (lambda plane, given: plane.advise(Task(type="x", budget_usd=math.nan)), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", deadline_ms=-1)), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", tokens_in=-1)), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", attempt=0)), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", repo="")), "input.invalid"),
        (lambda plane, given: plane.advise(Task(type="x", session=9)), "input.invalid"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(plane, call, code):
    given = plane.advise(FIX).decision_id
    before = events(plane)
    with pytest.raises(ControlPlaneError) as refused:
        call(plane, given)
    assert refused.value.code == code
    assert "\n" not in str(refused.value)
    assert events(plane) == before


@pytest.mark.requirement("ROUTER-118")
@pytest.mark.parametrize("catalogue", [[], [Arm("a"), Arm("a")], [Arm("a", fallback="b")]])
def test_a_catalogue_that_cannot_serve_is_refused(tmp_path: Path, catalogue):
    with pytest.raises(ControlPlaneError):
        ControlPlane.open(tmp_path / "home", catalogue=catalogue)


@pytest.mark.requirement("ROUTER-121")
def test_a_result_for_another_ledgers_decision_is_refused(plane, tmp_path: Path):
    with ControlPlane.open(tmp_path / "other", catalogue=ARMS, background=False) as other:
        foreign = other.advise(FIX).decision_id
    with pytest.raises(ControlPlaneError) as refused:
        plane.record_result(foreign, success=True)
    assert refused.value.code == "router.unknown-decision"


def test_a_decision_can_be_settled_after_a_restart_and_in_any_process(open_plane):
    advice = open_plane().advise(FIX)
    other = open_plane()
    other.record_result(advice.decision_id, success=True)
    assert traffic(other, advice.arm).successes == 1


def test_lists_are_taken_for_tuples(plane):
    advice = plane.advise(Task(type="code.fix", candidates=["acme/cheap"], required_tools=["bash"]))
    assert advice.arm == "acme/cheap"


def test_a_closed_plane_says_so(open_plane):
    plane = open_plane()
    plane.close()
    with pytest.raises(LedgerClosed):
        plane.advise(FIX)
    with pytest.raises(LedgerClosed):
        plane.record_result(arm="acme/cheap", success=True)
    plane.close()


def test_the_library_is_at_home_in_async_code(tmp_path: Path):
    async def work() -> int:
        async with ControlPlane.open(tmp_path / "home", catalogue=ARMS) as plane:
            plane.record_result(plane.advise(FIX).decision_id, success=True)
            await plane.aflush()
            return plane.stats().results

    assert anyio.run(work) == 1


def test_many_threads_may_ask_and_record_at_once(open_plane):
    plane = open_plane()

    def work() -> None:
        for _ in range(200):
            plane.record_result(plane.advise(FIX).decision_id, success=True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plane.flush()
    stats = plane.stats()
    assert (stats.decisions, stats.results, stats.repeats) == (800, 800, 0)


def test_a_policy_is_obeyed_and_named_by_its_hash(open_plane):
    cheap = open_plane(policy=Policy(success_value_usd=0.0001)).advise(FIX)
    dear = open_plane(policy=Policy(success_value_usd=50.0)).advise(FIX)
    assert cheap.arm == "acme/cheap"
    assert cheap.policy_hash != dear.policy_hash


def test_an_event_holds_no_text_of_the_task(plane):
    plane.advise(Task(type="code.fix", description="the secret plan", files=("a.py", "b.py")))
    plane.flush()
    states = b"".join(state for *_, state in plane.ledger.rows())
    assert b"secret plan" not in states
    assert b'"files":2' in states

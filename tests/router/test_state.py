"""What the router remembers, event by event: counts, corrections, repeats, what moves the epoch, what is forgotten."""

from typing import Any

import pytest

from control_plane.learning.events import AdviceInvalidated
from control_plane.ledger.events import Event
from control_plane.router.choice import MOST_NEWS
from control_plane.router.events import (
    AdviceGiven,
    BreakerMoved,
    CatalogueDeclared,
    ParityMeasured,
    ResultRecorded,
    StrategyFailed,
    StrategyRecovered,
)
from control_plane.router.outcomes import truth_of
from control_plane.router.state import (
    MOVES,
    OUTAGE,
    OUTAGE_COUNTS,
    READ,
    TAIL_EVERY,
    WINDOW,
    Outcome,
    RouterState,
    Run,
    Traffic,
    fold,
    foresee,
    run_key,
)
from control_plane.router.tails import TailPolicy
from control_plane.router.terms import Arm, Policy

ARMS = (Arm("acme/a"), Arm("acme/b"), Arm.cascade("both", [("acme/b", "tests"), ("acme/a", None)]))


def after(*events: Event, state: RouterState | None = None) -> RouterState:
    state = state or RouterState()
    for event in events:
        fold(state, event)
    return state


def declared(policy: Policy | None = None) -> CatalogueDeclared:
    return CatalogueDeclared(
        at=1.0, arms=ARMS, policy=policy or Policy(), policy_hash="h", environment={}, declared="d"
    )


def decision(number: int) -> str:
    return f"dec-p1-{number:016d}"


def given(number: int = 1, arm: str = "acme/a", at: float = 2.0, probed: bool = False) -> AdviceGiven:
    return AdviceGiven(
        at=at, decision=decision(number), seed=1, position=1, compiled_at=1.0, declared="d", task_type="fix", arm=arm,
        strategy="thompson", propensity=1.0, path_hash="x", probed=probed,
    )  # fmt: skip


def result(number: int | None = 1, arm: str = "acme/a", at: float = 3.0, **more: Any) -> ResultRecorded:
    told: dict[str, Any] = {"success": True, "process": "p1"} | more
    named = None if number is None else decision(number)
    return ResultRecorded(at=at, arm=arm, task_type="fix", decision=named, **told)


def runs_of(state: RouterState, arm: str) -> float:
    """How many runs of this arm whose outcome is known the beliefs hold."""
    told = state.beliefs.arms.get(arm)
    return 0.0 if told is None else told.total.runs


def test_empty_is_empty() -> None:
    state = RouterState()
    assert (state.decisions, state.results, state.repeats, state.corrections, state.epoch) == (0, 0, 0, 0, 0)
    assert (state.moves, state.traced, state.priced, state.parity, state.declared) == (0, 0, 0, None, "")
    assert Traffic() == Traffic(given=0, results=0, successes=0, failures=0, cost=0.0)


@pytest.mark.parametrize(
    ("success", "error", "truth"),
    [
        (True, None, True), (False, None, False), (None, None, None), (None, "timeout", False),
        (True, "timeout", True), (False, "server", False), (None, "caller", None), (True, "cancelled", None),
    ],
)  # fmt: skip
def test_what_a_result_says_of_its_arm(success: bool | None, error: str | None, truth: bool | None) -> None:
    assert truth_of(success, error) is truth
    outcome = Outcome(success, None, 1500.0, None, error, None)
    assert (outcome.truth, outcome.seconds) == (truth, 1.5)
    assert outcome.judged == (None if truth is None else float(truth))
    assert Outcome(success, None, None, None, error, None, True).judged is None
    assert Outcome(success, None, None, None, error, None).seconds is None


def test_a_decision_and_its_result_are_counted() -> None:
    state = after(declared(), given(), result(cost_usd=0.5, tokens_in=100.0, tokens_out=21.0))
    assert (state.decisions, state.results, state.traced, state.priced, state.epoch) == (1, 1, 1, 1, 1)
    assert state.traffic == {"acme/a": Traffic(given=1, results=1, successes=1, failures=0, cost=0.5)}
    assert (state.strategies, state.seen, state.declared) == ({"thompson": 1}, {"fix": 1}, "d")
    assert state.token_buckets == {50: 1}
    assert list(state.arms) == ["acme/a", "acme/b", "both"]
    assert (state.running["acme/a"].started, state.running["acme/a"].reported) == ({}, 1.0)
    after(given(2), given(3), state=state)
    assert (state.strategies, state.traffic["acme/a"].given) == ({"thompson": 3}, 3)
    assert len(state.running["acme/a"].started) == 2


@pytest.mark.parametrize(
    ("more", "priced", "buckets"),
    [
        ({}, 0, {}), ({"cost_usd": 0.0}, 1, {}), ({"tokens_in": 1.0}, 1, {0: 1}), ({"tokens_out": 2.0}, 1, {7: 1}),
        ({"tokens_in": 0.0}, 0, {}), ({"tokens_in": 0.5}, 1, {}),
    ],
)  # fmt: skip
def test_what_a_result_tells_of_its_price(more: dict[str, Any], priced: int, buckets: dict[int, int]) -> None:
    state = after(declared(), result(None, **more))
    assert (state.traced, state.priced, state.token_buckets) == (0, priced, buckets)


def test_the_same_result_again_is_a_repeat_and_another_one_a_correction() -> None:
    state = after(declared(), given(), result(cost_usd=0.5), result(cost_usd=0.5))
    assert (state.results, state.repeats, state.corrections, state.seen) == (1, 1, 0, {"fix": 1})
    after(result(success=False, cost_usd=0.25), state=state)
    assert (state.results, state.repeats, state.corrections, state.traced) == (2, 1, 1, 1)
    assert state.traffic["acme/a"] == Traffic(given=1, results=1, successes=0, failures=1, cost=0.25)
    assert (runs_of(state, "acme/a"), state.beliefs.arms["acme/a"].total.wins) == (1.0, 0.0)
    # Without a decision nothing can be recognised again.
    after(result(None), result(None), state=state)
    assert (state.results, state.repeats) == (4, 1)


def test_a_result_that_says_nothing_of_its_arm_is_neither_success_nor_failure() -> None:
    state = after(declared(), result(success=None), result(2, success=True, error="cancelled"))
    assert state.traffic["acme/a"] == Traffic(given=0, results=2)
    assert runs_of(state, "acme/a") == 0.0


def test_of_an_outage_one_fault_in_so_many_is_learned_from() -> None:
    state = after(declared())
    counted = []
    for number in range(2 * OUTAGE_COUNTS + OUTAGE + 1):
        before = runs_of(state, "acme/a")
        after(result(number, success=None, error="server"), state=state)
        if runs_of(state, "acme/a") != before:
            counted.append(number)
    assert counted == [*range(OUTAGE), OUTAGE_COUNTS, 2 * OUTAGE_COUNTS]
    # What the arm did is counted all the same, and a truth that comes later is learned.
    assert state.traffic["acme/a"].failures == 2 * OUTAGE_COUNTS + OUTAGE + 1
    before = runs_of(state, "acme/a")
    after(result(OUTAGE, success=True, error="server"), state=state)
    assert (runs_of(state, "acme/a"), state.corrections) == (before + 1.0, 1)


def test_a_fault_that_is_told_again_is_a_repeat_even_when_it_was_an_outage() -> None:
    state = after(declared(), *(result(number, success=None, error="server") for number in range(OUTAGE + 2)))
    after(result(OUTAGE + 1, success=None, error="server"), result(0, success=None, error="server"), state=state)
    assert (state.repeats, state.corrections, state.results) == (2, 0, OUTAGE + 2)


def test_a_breaker_that_moves_is_held_told_and_let_go() -> None:
    state = after(declared(), *(result(number, success=None, error="server") for number in range(3)))
    opened = [moved for moved in state.moved if moved.subject == "acme/a"]
    assert [(moved.before, moved.after, moved.at, moved.process) for moved in opened] == [
        ("closed", "open", 3.0, "p1"),
    ]  # fmt: skip
    until = state.held["acme/a"]
    assert (opened[0].until, state.moves, state.epoch) == (until, len(state.moved), 1 + len(state.moved))
    probe = given(9, at=until + 1.0, probed=True)
    after(probe, state=state)
    assert (state.moved[-1].after, state.moved[-1].process) == ("half-open", "p1")
    after(result(9, at=until + 2.0), state=state)
    assert "acme/a" not in state.held
    assert (state.moved[-1].after, state.moves) == ("closed", len(state.moved))
    # Said aloud for people, it changes nothing.
    epoch = state.epoch
    told = BreakerMoved(at=9.0, process="p1", subject="acme/a", before="closed", after="open", reason="r")
    assert after(told, state=state).epoch == epoch
    assert BreakerMoved.TOPIC not in READ
    assert {AdviceGiven.TOPIC, ResultRecorded.TOPIC, AdviceInvalidated.TOPIC} <= READ


def test_the_latest_transitions_wait_to_be_announced() -> None:
    state, at = after(declared()), 10.0
    for number in range(MOVES):
        after(*(result(None, at=at, success=None, error="server") for _ in range(3)), state=state)
        at += 1000.0
        after(given(number, at=at, probed=True), result(number, at=at), state=state)
        at += 1000.0
    assert state.moves > MOVES == len(state.moved)
    assert state.moved[-1].at == at - 1000.0


def test_a_tail_is_judged_every_so_many_calls_and_costs_what_it_is_worth() -> None:
    policy = Policy(tail=TailPolicy(p95_limit_ms=100.0, p99_limit_ms=200.0))
    state = after(declared(policy))
    judged = []
    for number in range(40):
        before = dict(state.penalties)
        after(result(number, at=3.0 + number, latency_ms=900.0), state=state)
        if state.penalties != before:
            judged.append(number + 1)
    assert state.heard == {"acme/a": 40}
    assert judged
    assert all(number % TAIL_EVERY == 0 for number in judged)
    assert state.penalties["acme/a"] == policy.tail.max_penalty
    # The first penalty outdates what is kept; once it is well again, so does its end.
    epoch = state.epoch
    for number in range(40, 2000):
        after(result(number, at=100.0 + 30.0 * number, latency_ms=5.0), state=state)
    assert (state.penalties, state.epoch) == ({}, epoch + 1)


def test_a_call_that_its_caller_spoiled_says_nothing_of_the_tail() -> None:
    state = after(declared(), result(latency_ms=9.0, error="caller"), result(2))
    assert (state.heard, state.tails) == ({}, {})
    after(result(3, latency_ms=9.0, success=None, error="timeout"), state=state)
    assert state.heard == {"acme/a": 1}


def test_a_new_policy_aims_the_tails_that_there_are() -> None:
    state = after(declared(), result(latency_ms=9.0), declared(Policy(tail=TailPolicy(p95_limit_ms=100.0))))
    assert state.tails["acme/a"].policy.p95_limit_ms == 100.0
    assert (state.policy.tail.p95_limit_ms, state.epoch) == (100.0, 2)


def test_a_step_of_a_cascade_is_its_own_arms_call() -> None:
    first = result(1, "both", step=0, success=None, verified=False, latency_ms=10.0)
    state = after(declared(), given(arm="both"), first)
    assert (state.heard, runs_of(state, "acme/b")) == ({"acme/b": 1}, 0.0)
    after(result(1, "both", step=1, latency_ms=20.0), state=state)
    assert state.heard == {"acme/b": 1, "acme/a": 1}
    run = state.runs[run_key(decision(1))]
    assert (sorted(run.outcomes), len(run.learned)) == ([0, 1], 2)
    # A step that the cascade does not have is the cascade's own.
    after(result(2, "both", step=7, latency_ms=20.0), state=state)
    assert state.heard["both"] == 1


def test_a_cascade_is_learned_from_once_its_last_step_is_in() -> None:
    # The second step is missing, the first alone was refused, the first alone was accepted or judged.
    for number, (step, more, learned) in enumerate([
        (1, {}, 0), (0, {"success": None, "verified": False}, 0), (0, {"success": None, "verified": True}, 1),
        (0, {"success": False, "verified": False}, 1),
    ]):  # fmt: skip
        state = after(declared(), result(number, "both", step=step, **more))
        assert len(state.runs[run_key(decision(number))].learned) == learned, number


def test_outcomes_can_be_corrected_for_two_windows() -> None:
    state = after(declared(), *(result(number) for number in range(WINDOW)))
    assert (len(state.runs), state.runs_before) == (WINDOW, {})
    after(result(WINDOW), state=state)
    assert (len(state.runs_before), state.runs) == (WINDOW + 1, {})
    after(result(0, success=False), state=state)
    assert (state.corrections, state.repeats, state.runs) == (1, 0, {})


def test_what_makes_cached_advice_old() -> None:
    state = after(declared())
    after(StrategyFailed(at=2.0, strategy="s", reason="r"), StrategyRecovered(at=3.0, strategy="s"), state=state)
    assert state.epoch == 3
    after(result(None), state=state)
    after(AdviceInvalidated(at=4.0, task_types=("fix", "doc"), repos=(), records=1), state=state)
    assert (state.seen, state.epoch) == ({"fix": 1 + MOST_NEWS, "doc": MOST_NEWS}, 3)
    after(AdviceInvalidated(at=4.0, task_types=(), repos=(), records=1), state=state)
    assert state.epoch == 4
    parity = ParityMeasured(at=5.0, decisions=4, matched=3)
    assert after(parity, state=state).parity == parity
    assert (parity.parity, ParityMeasured(at=5.0, decisions=0, matched=0).parity) == (0.75, 1.0)


def test_what_a_result_will_change_is_foreseen_as_it_then_comes() -> None:
    base = after(declared(), given(), result(1))
    ahead = RouterState(arms=base.arms)
    told = [result(1), result(2), result(2), result(1, success=False), result(None)]
    for event in told:
        foresee(ahead, base, event)
    # The repeats are none of its news, and what the base knows of the run is not touched.
    assert ahead.seen == {"fix": 3}
    assert ahead.runs[run_key(decision(1))].outcomes[0].success is False
    assert base.runs[run_key(decision(1))] == Run({0: Outcome(True, None, None, None, None, None)})
    after(*told, state=base)
    # In `base` one run was known before: it was won, then taken back and lost.
    assert (runs_of(base, "acme/a"), runs_of(ahead, "acme/a")) == (3.0, 2.0)

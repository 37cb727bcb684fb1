"""What the router remembers: a fold of its events, so that any process at the same position decides alike."""

from collections.abc import Callable
from math import log
from typing import Any

import msgspec

from ..learning.events import AdviceInvalidated
from ..ledger.events import Event
from .breakers import FAULTS, Transition
from .cascade import Step, StepResult, learn_cascade
from .choice import MOST_NEWS
from .ejection import Breakers, probe_started, record
from .events import (
    AdviceGiven,
    BreakerMoved,
    CatalogueDeclared,
    ParityMeasured,
    ResultRecorded,
    StrategyFailed,
    StrategyRecovered,
    plausible,
)
from .outcomes import Outcome, alike, bounded
from .posterior import Beliefs, learn
from .running import Running, began, elapsed_ms, ended
from .tails import Tail, aim, observe, penalty
from .terms import Arm, Policy

# Decisions whose outcome can still be corrected, or recognised as a repeat.
WINDOW = 32_768
# Transitions that wait to be announced; a burst of commits may bring many.
MOVES = 1024
# Faults in a row that are an outage; of those that follow, one in so many is learned from.
OUTAGE, OUTAGE_COUNTS = 3, 8
# A tail is judged anew after so many of its calls.
TAIL_EVERY = 4


class Run(msgspec.Struct, gc=False):
    """One decision's outcomes so far, by step, and whether they have been learned from."""

    outcomes: dict[int, Outcome]
    learned: tuple[Outcome, ...] = ()


class Traffic(msgspec.Struct):
    given: int = 0
    results: int = 0
    successes: int = 0
    failures: int = 0
    cost: float = 0.0


class RouterState(msgspec.Struct):
    beliefs: Beliefs = msgspec.field(default_factory=Beliefs)
    tails: dict[str, Tail] = {}
    penalties: dict[str, float] = {}
    heard: dict[str, int] = {}
    running: dict[str, Running] = {}
    breakers: Breakers = msgspec.field(default_factory=Breakers)
    # Subjects whose breaker is not closed, and until when: mostly nobody, so that a choice need not look at all.
    held: dict[str, float] = {}
    traffic: dict[str, Traffic] = {}
    strategies: dict[str, int] = {}
    runs: dict[str, Run] = {}
    runs_before: dict[str, Run] = {}
    seen: dict[str, int] = {}
    arms: dict[str, Arm] = {}
    policy: Policy = Policy()
    declared: str = ""
    decisions: int = 0
    results: int = 0
    repeats: int = 0
    corrections: int = 0
    # Moves when something happened that no cached advice may outlive.
    epoch: int = 0
    # The latest transitions; the process whose event led to one announces it.
    moved: list[BreakerMoved] = []
    moves: int = 0
    parity: ParityMeasured | None = None
    # How much of what came in can be traced to a decision, and tells what it cost; tokens by powers of 1.1.
    traced: int = 0
    priced: int = 0
    token_buckets: dict[int, int] = {}


def fold(state: RouterState, event: Event) -> None:
    _FOLDS[type(event)](state, event)


def run_key(decision: str) -> str:
    """A decision's MAC names it well enough, in a fifth of the room."""
    return decision[-16:]


def _declare(state: RouterState, event: CatalogueDeclared) -> None:
    state.arms = {arm.name: arm for arm in event.arms}
    state.policy = event.policy
    for tail in state.tails.values():
        aim(tail, event.policy.tail)
    state.declared = event.declared
    state.epoch += 1


def _give(state: RouterState, event: AdviceGiven) -> None:
    state.decisions += 1
    traffic = state.traffic.get(event.arm)
    if traffic is None:
        traffic = state.traffic[event.arm] = Traffic()
    traffic.given += 1
    state.strategies[event.strategy] = state.strategies.get(event.strategy, 0) + 1
    start(state, event.arm, event.decision, event.at, event.probed)


def start(state: RouterState, arm: str, decision: str, at: float, probed: bool) -> None:
    """A call begins: the part of an advice that later choices depend on."""
    running = state.running.get(arm)
    if running is None:
        running = state.running[arm] = Running()
    began(running, run_key(decision), at)
    if probed:
        start_probe(state, arm, decision, at)


def start_probe(state: RouterState, arm: str, decision: str, at: float) -> None:
    provider = state.arms[arm].provider if arm in state.arms else None
    policy = state.policy.breaker
    process = decision.split("-", 2)[1]
    _move(state, at, process, probe_started(state.breakers, arm, provider, at, run_key(decision), policy=policy))


def _record(state: RouterState, event: ResultRecorded) -> None:
    event = plausible(event)
    outcome = _outcome(state, state.beliefs, event)
    run, before = None, None
    if event.decision is not None:
        key = run_key(event.decision)
        run = state.runs.get(key) or state.runs_before.get(key) or _open_run(state, key)
        before = run.outcomes.get(event.step)
        if before is not None and alike(before, outcome):
            state.repeats += 1
            return
        run.outcomes[event.step] = outcome
        running = state.running.get(event.arm)
        if running is not None:
            ended(running, key)
    state.results += 1
    state.seen[event.task_type] = state.seen.get(event.task_type, 0) + 1
    truth = outcome.truth
    if before is None:
        _weigh(state, event)
        hear(state, event, truth)
    else:
        state.corrections += 1
        _count(state, event.arm, before, before.truth, -1)
    _count(state, event.arm, outcome, truth, 1)
    _learn_run(state, event, run, before, outcome)


def foresee(state: RouterState, base: RouterState, event: ResultRecorded) -> None:
    """What a result will change in `base`, as far as beliefs go, learned by a copy of its beliefs."""
    event = plausible(event)
    outcome = _outcome(base, state.beliefs, event)
    run, before = None, None
    if event.decision is not None:
        key = run_key(event.decision)
        run = state.runs.get(key)
        if run is None:
            known = base.runs.get(key) or base.runs_before.get(key) or Run({})
            run = state.runs[key] = Run(dict(known.outcomes), known.learned)
        before = run.outcomes.get(event.step)
        if before is not None and alike(before, outcome):
            return
        run.outcomes[event.step] = outcome
    state.seen[event.task_type] = state.seen.get(event.task_type, 0) + 1
    _learn_run(state, event, run, before, outcome)


def _learn_run(
    state: RouterState, event: ResultRecorded, run: Run | None, before: Outcome | None, outcome: Outcome
) -> None:
    arm = state.arms.get(event.arm)
    if arm is not None and arm.steps:
        _learn_cascade(state, event, arm.steps, run or Run({event.step: outcome}))
        return
    if before is not None:
        _learn(state, event, before, -1.0)
    _learn(state, event, outcome, 1.0)


def _outcome(state: RouterState, beliefs: Beliefs, event: ResultRecorded) -> Outcome:
    outage, cost, most = False, event.cost_usd, None
    guess = state.policy.price_guess * state.policy.success_value_usd
    if cost is not None and cost > guess:
        most = bounded(cost, guess, state.policy.cost_leap, beliefs, _played(state, event), event.task_type)
    if event.success is None and event.error in FAULTS:
        breaker = state.breakers.arms.get(_played(state, event))
        row = 0 if breaker is None else breaker.consecutive
        # Now and then one counts all the same: breakers may be switched off, and an outage may last for ever.
        outage = row >= OUTAGE and row % OUTAGE_COUNTS != 0
    return Outcome(
        event.success, cost, event.latency_ms, event.ttft_ms, event.error, event.verified, outage, most
    )  # fmt: skip


def _played(state: RouterState, event: ResultRecorded) -> str:
    """The arm itself, or the one that this step of a cascade played."""
    arm = state.arms.get(event.arm)
    return arm.steps[event.step][0] if arm is not None and event.step < len(arm.steps) else event.arm


def _weigh(state: RouterState, event: ResultRecorded) -> None:
    state.traced += event.decision is not None
    tokens = (event.tokens_in or 0) + (event.tokens_out or 0)
    state.priced += bool(tokens) or event.cost_usd is not None
    if tokens >= 1:
        bucket = int(log(tokens) / log(1.1))
        state.token_buckets[bucket] = state.token_buckets.get(bucket, 0) + 1


def _open_run(state: RouterState, key: str) -> Run:
    run = state.runs[key] = Run({})
    if len(state.runs) > WINDOW:
        state.runs_before, state.runs = state.runs, {}
    return run


def hear(state: RouterState, event: ResultRecorded, truth: bool | None) -> None:
    """Tails and breakers see each call once, whatever is later learned of its success."""
    played = _played(state, event)
    arm = state.arms.get(played)
    if event.latency_ms is not None and event.error != "caller":
        tail = state.tails.get(played)
        if tail is None:
            tail = state.tails[played] = Tail()
            aim(tail, state.policy.tail)
        censored = event.error in ("timeout", "cancelled")
        observe(tail, event.at, event.latency_ms, event.ttft_ms, censored)
        heard = state.heard[played] = state.heard.get(played, 0) + 1
        if heard % TAIL_EVERY == 0:
            _judge_tail(state, played, tail, event.at)
    moves = record(
        state.breakers, played, arm.provider if arm is not None else None, event.at, truth, event.error,
        event.retry_after_s, policy=state.policy.breaker,
        decision=None if event.decision is None else run_key(event.decision),
    )  # fmt: skip
    if moves:
        _move(state, event.at, event.process, moves)


def _move(state: RouterState, at: float, process: str, moves: list[Transition]) -> None:
    for moved in moves:
        state.epoch += 1
        if moved.to == "closed":
            state.held.pop(moved.name, None)
        else:
            state.held[moved.name] = moved.until
        state.moved.append(
            BreakerMoved(
                at=at,
                process=process,
                subject=moved.name,
                before=moved.frm,
                after=moved.to,
                reason=moved.reason,
                until=moved.until,
            )
        )
        state.moves += 1
    del state.moved[:-MOVES]


def _judge_tail(state: RouterState, arm: str, tail: Tail, now: float) -> None:
    running = state.running.get(arm)
    waiting = elapsed_ms(running, now) if running is not None else None
    found, known = penalty(tail, state.policy.tail, now, waiting), state.penalties.get(arm, 0.0)
    if found == known:
        return
    if found:
        state.penalties[arm] = found
    else:
        del state.penalties[arm]
    if bool(found) != bool(known):
        state.epoch += 1


def _count(state: RouterState, arm: str, outcome: Outcome, truth: bool | None, sign: int) -> None:
    traffic = state.traffic.get(arm)
    if traffic is None:
        traffic = state.traffic[arm] = Traffic()
    traffic.results += sign
    if truth:
        traffic.successes += sign
    elif truth is False:
        traffic.failures += sign
    if outcome.cost is not None:
        traffic.cost += sign * outcome.cost


def _learn(state: RouterState, event: ResultRecorded, outcome: Outcome, weight: float) -> None:
    judged, cost, seconds = outcome.judged, outcome.bounded, outcome.seconds
    if cost is None:
        cost = outcome.cost
    learn(state.beliefs, event.arm, event.task_type, event.repo, judged, cost, seconds, weight)


def _learn_cascade(
    state: RouterState, event: ResultRecorded, steps: tuple[tuple[str, str | None], ...], run: Run
) -> None:
    """A run is learned from once its last step is in; a truth that comes later takes the first lesson back."""
    taken = tuple(run.outcomes[number] for number in sorted(run.outcomes))
    last = len(taken) - 1
    whole = sorted(run.outcomes) == list(range(len(taken)))
    ended = last == len(steps) - 1 or taken[last].verified is not False or taken[last].truth is not None
    if not whole or not ended:
        return
    named = [Step(arm, verifier) for arm, verifier in steps]
    for outcomes, weight in ((run.learned, -1.0), (taken, 1.0)):
        if outcomes:
            results = [StepResult(o.verified, o.judged, o.counted, o.seconds) for o in outcomes]
            learn_cascade(state.beliefs, event.arm, named, event.task_type, event.repo, results, weight)
    run.learned = taken


def _strategy_turned(state: RouterState, _: StrategyFailed | StrategyRecovered) -> None:
    state.epoch += 1


def _measured(state: RouterState, event: ParityMeasured) -> None:
    state.parity = event


def _taught(state: RouterState, event: AdviceInvalidated) -> None:
    """What is kept for these task types is as stale as if many results had come."""
    if not event.task_types:
        state.epoch += 1
    for task_type in event.task_types:
        state.seen[task_type] = state.seen.get(task_type, 0) + MOST_NEWS


def _pass(state: RouterState, event: Event) -> None:
    """Said aloud for people; the state follows from the results."""


_FOLDS: dict[type[Event], Callable[[RouterState, Any], None]] = {
    CatalogueDeclared: _declare,
    AdviceGiven: _give,
    ResultRecorded: _record,
    BreakerMoved: _pass,
    StrategyFailed: _strategy_turned,
    StrategyRecovered: _strategy_turned,
    ParityMeasured: _measured,
    AdviceInvalidated: _taught,
}
# What a fold must read to come to the same state.
READ = frozenset(kind.TOPIC for kind, do in _FOLDS.items() if do is not _pass)

"""Seven acts on one home: what was, what is advised, an outage, a tighter policy, a replay, one flipped byte."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..clock import Clock
from ..flags import read_flags
from ..governance.document import read_policy
from ..governance.rules import StepRefused
from ..ledger import audit
from ..ledger.home import Home
from ..plane import ControlPlane
from ..router.estimates import Estimate
from ..router.events import ResultRecorded
from ..router.explain import Explanation
from ..router.terms import Advice, Arm, Policy, Task
from .calls import Call, by_model, read_calls

TASK = Task(type="math.word-problem")
ROUTED, MOST_FAILURES, SEED = 1_300, 20, 7
FRUGAL = 'name = "frugal"\n\n[router]\nsuccess_value_usd = 0.02\n'
OnStep = Callable[[int, int], None]


class Routed(msgspec.Struct, frozen=True):
    """The same number of tasks again, each to the arm that was advised; outcomes are drawn from its real calls."""

    tasks: int
    right: float
    cost_usd: float
    right_before: float
    cost_before: float
    explanation: Explanation


class Outage(msgspec.Struct, frozen=True):
    arm: str
    failures: int
    then: Advice


class Tighter(msgspec.Struct, frozen=True):
    """What would change for each decision under the policy; a negative cost is a saving."""

    policy: str
    decisions: int
    cost: Estimate
    success: Estimate
    refused: str
    why: str


class Parity(msgspec.Struct, frozen=True):
    decisions: int
    matched: int


class Flipped(msgspec.Struct, frozen=True):
    events: int
    position: int
    named: int | None
    reason: str


class Told(msgspec.Struct, frozen=True):
    routed: Routed
    outage: Outage
    tighter: Tighter
    parity: Parity
    flipped: Flipped


def tell(home: Path, on_step: OnStep) -> Told:
    calls = read_calls()
    arms = [Arm(model) for model in by_model(calls)]
    with ControlPlane.open(home, catalogue=arms, policy=Policy(), flags=read_flags({}, {}), clock=Clock()) as plane:
        for done, call in enumerate(calls, 1):
            _report(plane, call, arm=call.model, task=TASK)
            on_step(done, len(calls) + ROUTED)
        plane.flush()
        routed = _route(plane, calls, on_step)
        outage = _outage(plane)
        tighter = _tighten(plane)
        found = plane.replay()
        changed, state = next(_results(plane))
    flipped = _flip(home, changed, state)
    return Told(routed, outage, tighter, Parity(found.decisions, found.matched), flipped)


def _report(plane: ControlPlane, call: Call, decision: str | None = None, **about: Any) -> None:
    plane.record_result(decision, success=call.right, cost_usd=call.cost_usd, latency_ms=call.latency_ms, **about)


def _route(plane: ControlPlane, calls: list[Call], on_step: OnStep) -> Routed:
    real, chance, taken = by_model(calls), random.Random(SEED), list[Call]()  # noqa: S311 - the same draws, again and again
    for done in range(1, ROUTED + 1):
        advice = plane.advise(TASK)
        taken.append(chance.choice(real[advice.arm]))
        _report(plane, taken[-1], advice.decision_id)
        on_step(len(calls) + done, len(calls) + ROUTED)
    plane.flush()
    last = plane.advise(TASK)
    plane.flush()
    return Routed(ROUTED, *_mean(taken), *_mean(calls), plane.explain(last.decision_id))


def _mean(calls: list[Call]) -> tuple[float, float]:
    return sum(call.right for call in calls) / len(calls), sum(call.cost_usd for call in calls) / len(calls)


def _outage(plane: ControlPlane) -> Outage:
    """The advised arm's provider answers with errors until somebody else is advised."""
    then, failures = plane.advise(TASK), 0
    first = then.arm
    while then.arm == first and failures < MOST_FAILURES:
        plane.record_result(arm=first, task=TASK, success=False, error="server", latency_ms=900.0)
        plane.flush()
        then, failures = plane.advise(TASK), failures + 1
    return Outage(first, failures, then)


def _tighten(plane: ControlPlane) -> Tighter:
    plane.flush()
    document = read_policy(FRUGAL)
    found = plane.simulate(document)
    plane.policies.propose(FRUGAL, actor="demo", reason="spend less")
    try:
        plane.policies.advance(document.name, actor="demo", reason="without evidence")
    except StepRefused as refused:
        cost, success = found.estimates["cost_usd"].delta, found.estimates["success"].delta
        return Tighter(document.name, found.accepted, cost, success, refused.verdict, refused.why)
    raise AssertionError("a policy went on without evidence")


def _results(plane: ControlPlane) -> Iterator[tuple[int, bytes]]:
    """The middle of the log and what follows, where results are."""
    for position, _, _, topic, state in plane.ledger.rows(plane.ledger.size() // 2, 1000):
        if topic == ResultRecorded.TOPIC:
            yield position, bytes(state)


def _flip(home: Path, position: int, state: bytes) -> Flipped:
    """One bit of one stored event, in a copy; the audit is not told where."""
    copy = home.with_name("tampered")
    shutil.copytree(home, copy)
    database = copy / "ledger.db"
    content = bytearray(database.read_bytes())
    at = content.index(state) + len(state) // 2
    content[at] ^= 1
    database.write_bytes(content)
    verdict = audit.verify(Home(copy))
    return Flipped(verdict.events, position, verdict.first_bad, verdict.reason or "ok")

"""Cascades: try a cheap arm, let a verifier judge the work, go on to the next arm when it is refused.

What a cascade is worth follows from what its arms and its verifier are worth, so a new cascade starts with an estimate
and not with nothing. Its own results then correct that estimate.
"""

from collections.abc import Sequence

import msgspec

from .posterior import Beliefs, Tally, VerifierBook, learn


class Step(msgspec.Struct, frozen=True):
    arm: str
    verifier: str | None = None


class StepBelief(msgspec.Struct, frozen=True):
    """What is expected of one arm that is played by itself."""

    success: float
    cost: float
    time: float
    runs: float


class StepResult(msgspec.Struct, frozen=True):
    """What one step did; `success` only where the truth about this step's own work is known."""

    verified: bool | None = None
    success: float | None = None
    cost: float | None = None
    time: float | None = None


def compose(steps: Sequence[StepBelief], verifiers: Sequence[VerifierBook | None], kept: Sequence[float]) -> StepBelief:
    """Expected success, cost and time: sum over the steps of the chance to reach them times what they do there.

    A later step sees only tasks that were refused before; `kept` is the share of its usual success that it has there.
    The last step's work is delivered whatever a verifier would say of it.
    """
    reach, success, cost, time, runs = 1.0, 0.0, 0.0, 0.0, steps[0].runs
    last = len(steps) - 1
    for i, (step, verifier) in enumerate(zip(steps, verifiers, strict=True)):
        chance = on_refused(step.success, kept[i]) if i else step.success
        cost += reach * step.cost
        time += reach * step.time
        runs = min(runs, step.runs)
        if i == last or verifier is None:
            success += reach * chance
            break
        good = chance * verifier.sensitivity
        success += reach * good
        reach *= 1.0 - good - (1.0 - chance) * verifier.false_alarm
    return StepBelief(success, cost, time, runs)


def on_refused(usual: float, kept: float) -> float:
    """The chance of an arm on tasks that another was refused on."""
    return min(1.0, usual * kept)


def hidden_success(chance: float, verifier: VerifierBook, verified: bool) -> float:
    """How likely work was good, given what the verifier said of it (Bayes)."""
    good, bad = verifier.sensitivity, verifier.false_alarm
    if not verified:
        good, bad = 1.0 - good, 1.0 - bad
    seen = chance * good + (1.0 - chance) * bad
    return chance * good / seen if seen > 0.0 else chance


def learn_cascade(
    beliefs: Beliefs,
    name: str,
    steps: Sequence[Step],
    task_type: str,
    repo: str | None,
    results: Sequence[StepResult],
    weight: float = 1.0,
) -> None:
    """Fold one finished run of a cascade: one result for each step taken; the last one's truth is the run's truth.

    Where a step's truth is unknown, the verifier's word and the arm's rate say how likely it was, and that fraction is
    learned: leaving refused work out would make the cheap arm look better than it is.
    """
    kept = [beliefs.kept(step.arm) for step in steps]
    for i, result in enumerate(results):
        step, usual = steps[i], _usual_chance(beliefs, steps[i].arm, task_type)
        chance = on_refused(usual, kept[i]) if i else usual
        truth = result.success
        if step.verifier is not None and result.verified is not None:
            verifier = beliefs.verifier(step.verifier)
            if truth is None:
                truth = hidden_success(chance, verifier, result.verified)
            verifier.add(result.verified, truth, weight)
        # A later step sees a harder choice of tasks: that teaches the share it keeps, not its rate on all tasks.
        if i and result.success is not None:
            beliefs.carried(step.arm, usual, result.success, weight)
        learn(beliefs, step.arm, task_type, repo, None if i else truth, result.cost, result.time, weight)
    learn(
        beliefs,
        name,
        task_type,
        repo,
        results[-1].success,
        _total([result.cost for result in results]),
        _total([result.time for result in results]),
        weight,
    )


def _usual_chance(beliefs: Beliefs, arm: str, task_type: str) -> float:
    book = beliefs.arms.get(arm)
    kind = book.types.get(task_type) if book is not None else None
    tally = kind.tally if kind is not None else Tally()
    return (tally.wins + 5.0) / (tally.runs + 10.0)


def _total(parts: Sequence[float | None]) -> float | None:
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total

"""The difference that a policy makes: its mean, and how far chance alone could have moved it."""

import random
from collections.abc import Sequence

from ..errors import BadInput
from .artifacts import Bound, EvaluationReport
from .document import Gates

ROUNDS = 2_000
# With fewer there is nothing to draw again from.
FEWEST = 8


def bootstrap(
    candidate: Sequence[float], baseline: Sequence[float], *, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The mean difference and its percentile interval: both sides drawn again, with replacement, 2,000 times."""
    chance = random.Random(seed)  # noqa: S311 - an interval that comes out the same for the same scores
    drawn = sorted(
        _mean(chance.choices(candidate, k=len(candidate))) - _mean(chance.choices(baseline, k=len(baseline)))
        for _ in range(ROUNDS)
    )
    tail = (1.0 - confidence) / 2.0
    delta = _mean(candidate) - _mean(baseline)
    low, high = drawn[int(tail * ROUNDS)], drawn[min(ROUNDS - 1, int((1.0 - tail) * ROUNDS))]
    return delta, min(low, delta), max(high, delta)


def evaluate(
    bound: Bound, candidate: Sequence[float], baseline: Sequence[float], gates: Gates, *, confidence: float = 0.95
) -> EvaluationReport:
    """The report of two sets of scores; too few of them are inconclusive."""
    for name, scores in (("candidate", candidate), ("baseline", baseline)):
        if any(isinstance(score, bool) or not -1e6 <= score <= 1e6 for score in scores):
            raise BadInput(f"a score of the {name} is no number", cure="a score is a number, the higher the better")
    samples = min(len(candidate), len(baseline))
    if samples == 0:
        return _report(bound, samples, None, confidence, passed=False, inconclusive=True)
    figures = bootstrap(candidate, baseline, confidence=confidence)
    passed = figures[0] >= gates.minimum_delta
    return _report(bound, samples, figures, confidence, passed=passed, inconclusive=samples < FEWEST)


def _report(
    bound: Bound,
    samples: int,
    figures: tuple[float, float, float] | None,
    confidence: float,
    *,
    passed: bool,
    inconclusive: bool,
) -> EvaluationReport:
    delta, low, high = figures or (None, None, None)
    return EvaluationReport(
        ledger=bound.ledger,
        policy=bound.policy,
        policy_hash=bound.policy_hash,
        policy_revision=bound.policy_revision,
        revision=bound.revision,
        catalogue=bound.catalogue,
        ledger_position=bound.ledger_position,
        ledger_root=bound.ledger_root,
        at=bound.at,
        passed=passed,
        samples=samples,
        delta=delta,
        low=low,
        high=high,
        confidence=confidence,
        inconclusive=inconclusive,
    )


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)

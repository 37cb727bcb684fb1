"""Why this arm: its score term by term, who was left out, who came second, and what would have changed it."""

import msgspec

from .entries import Entry, Prepared, Terms, score_terms
from .events import AdviceGiven
from .terms import Policy


class Contender(msgspec.Struct, frozen=True):
    """One arm's score in dollars: `success` is worth `value`; the other terms are taken from it or added.

    `runs` are the results behind it, borrowed ones included and the prior's weight not; `guessed`: the cost is a guess.
    """

    arm: str
    success: float
    error: float
    runs: float
    value: float
    cost: float
    time: float
    adjustment: float
    score: float
    chance: float
    guessed: bool = False


class Flip(msgspec.Struct, frozen=True):
    """The smallest change that would have put another arm first."""

    arm: str
    change: str
    by: float


class Explanation(msgspec.Struct, frozen=True):
    decision: str
    position: int
    arm: str
    model: str
    strategy: str
    reasons: tuple[str, ...]
    propensity: float
    contenders: tuple[Contender, ...]
    filtered: tuple[tuple[str, str], ...]
    flip: Flip | None
    bypassed: tuple[str, ...]
    policy_hash: str
    ledger_position: int
    seed: int
    path_hash: str
    repeated: bool
    unmet: tuple[str, ...] = ()


def explain(position: int, event: AdviceGiven, entry: Entry, prepared: Prepared, policy_hash: str) -> Explanation:
    situation, choice = entry.situation, entry.choice
    chances = dict(zip(choice.arms, choice.chances, strict=True))
    rated = [(name, terms) for name in situation.board.names if (terms := score_terms(situation, name)) is not None]
    rated.sort(key=lambda pair: -pair[1].total)
    return Explanation(
        decision=event.decision,
        position=position,
        arm=event.arm,
        model=prepared.model,
        strategy=event.strategy,
        reasons=prepared.reasons,
        propensity=event.propensity,
        contenders=tuple(_contender(name, terms, chances.get(name, 0.0), situation.policy) for name, terms in rated),
        filtered=situation.filtered,
        flip=_flip(event.arm, rated, situation.policy.success_value_usd),
        bypassed=event.bypassed,
        policy_hash=policy_hash,
        ledger_position=event.position,
        seed=event.seed,
        path_hash=event.path_hash,
        repeated=prepared.path_hash == event.path_hash and prepared.arm.name == event.arm,
        unmet=situation.unmet,
    )


def _contender(name: str, terms: Terms, chance: float, policy: Policy) -> Contender:
    runs = max(0.0, terms.runs - policy.prior_runs)
    return Contender(
        name, terms.success, terms.error, runs, terms.value, terms.cost, terms.time, terms.adjustment,
        terms.total, chance, terms.guessed,
    )  # fmt: skip


def _flip(chosen: str, rated: list[tuple[str, Terms]], value: float) -> Flip | None:
    """In success, which is what moves; in dollars of cost where that would be the smaller step."""
    own = next((terms for name, terms in rated if name == chosen), None)
    others = [(name, terms) for name, terms in rated if name != chosen]
    if own is None or not others:
        return None
    name, best = others[0]
    gap = own.total - best.total
    if gap < 0.0:
        return Flip(name, f"it scores ${-gap:.4f} more; {chosen} was drawn to learn about it", 0.0)
    fall = gap / value if value else 0.0
    if fall <= own.success:
        return Flip(name, f"would win if success of {chosen} here fell below {own.success - fall:.3f}", fall)
    return Flip(name, f"would win if {chosen} cost ${gap:.4f} more", gap)

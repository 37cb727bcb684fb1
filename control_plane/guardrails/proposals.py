"""What the weekly report proposes, each with the figures behind it; a person decides."""

from itertools import combinations

import msgspec

from .measures import ArmWeek, Family, Kpis, RuleFigures
from .rules import TARGET
from .state import State
from .statistics import CONFIDENCE, labels_needed, upper_bound
from .stopping import TIMEOUT_S
from .terms import Mode

FEW, MANY, CLOSE = 20, 100, 0.02


class Proposal(msgspec.Struct, frozen=True):
    area: str
    change: str
    figures: str


def proposals(
    week: Kpis, families: tuple[Family, ...], rules: tuple[RuleFigures, ...], arms: tuple[ArmWeek, ...], state: State
) -> tuple[Proposal, ...]:
    return (*_tiers(arms), *_concurrency(arms), *_guardrails(families, rules), *_stop(week, state))


def _tiers(arms: tuple[ArmWeek, ...]) -> list[Proposal]:
    """A cheaper arm that does as well, and an arm that fails too often."""
    found = []
    known = [arm for arm in arms if arm.rate is not None and arm.successes + arm.failures >= FEW]
    for one, other in combinations(known, 2):
        dear, cheap = sorted((one, other), key=lambda arm: -arm.cost_usd / arm.results)
        if dear.cost_usd / dear.results > 1.2 * cheap.cost_usd / cheap.results and _rate(cheap) >= _rate(dear) - CLOSE:
            found.append(
                Proposal("model tiers", f"prefer {cheap.arm} to {dear.arm}", f"{_arm(cheap)}; {_arm(dear)}")
            )  # fmt: skip
    found += [
        Proposal("model tiers", f"a stronger tier than {arm.arm}", _arm(arm))
        for arm in known
        # Sure of it: the success rate is below a half with the confidence that promotions ask for.
        if upper_bound(arm.successes, arm.successes + arm.failures) < 0.5
    ]
    return found or [Proposal("model tiers", "leave them", _listed(known, f"arm with {FEW} judged results"))]


def _concurrency(arms: tuple[ArmWeek, ...]) -> list[Proposal]:
    found = []
    for arm in arms:
        share = (arm.rate_limited + arm.timed_out) / arm.results
        told = f"{arm.rate_limited} rate limits and {arm.timed_out} time-outs in {arm.results} results ({share:.1%})"
        if arm.results >= FEW and share > 0.05:
            found.append(Proposal("concurrency", f"half as many sessions at once on {arm.arm}", told))
        elif arm.results >= MANY and share < 0.01:
            found.append(Proposal("concurrency", f"{arm.arm} bears a quarter more", told))
    return found or [Proposal("concurrency", "leave it", _listed(arms, "results"))]


def _guardrails(families: tuple[Family, ...], rules: tuple[RuleFigures, ...]) -> list[Proposal]:
    found = []
    for one in families:
        told = f"{one.true} true, {one.false} false, at most {one.bound:.1%} false with {CONFIDENCE:.0%} confidence"
        if one.mode is not Mode.ENFORCE and one.bound <= TARGET:
            found.append(Proposal("guardrails", f"promote {one.family}", told))
        elif one.mode is not Mode.ENFORCE:
            needed = labels_needed(one.false, TARGET) - one.true - one.false
            found.append(Proposal("guardrails", f"{needed} more labels of {one.family}", told))
        elif one.false:
            found.append(Proposal("guardrails", f"watch {one.family}", told))
    found += [
        Proposal("guardrails", f"tune {one.rule}", f"{one.false} false of {one.true + one.false} judged hits")
        for one in rules
        if one.false
    ]
    return found or [Proposal("guardrails", "leave them", "every family that blocks is enforced without a false hit")]


def _stop(week: Kpis, state: State) -> list[Proposal]:
    executes = any(scope.mode == "execute" for scope in state.stop.values())
    if not executes:
        change = "execute in one scope" if state.counts.plans else "none before a session was planned for"
        return [Proposal("stop checks", change, f"{state.counts.plans} plans, no scope executes")]
    rate = week.stop_check_pass_rate
    told = f"{week.stop_passed} of {week.stop_checks} passed, {week.stop_timed_out} timed out"
    if week.stop_checks and week.stop_timed_out > 0.05 * week.stop_checks:
        return [Proposal("stop checks", f"more time than {TIMEOUT_S:g} s, or narrower checks", told)]
    if rate is not None and week.stop_checks >= FEW and rate < 0.5:
        return [Proposal("stop checks", f"mend what fails most: {', '.join(state.failed[-3:])}", told)]
    if rate is not None and week.stop_checks >= FEW and rate >= 0.95:
        return [Proposal("stop checks", "execute in the next scope", told)]
    return [Proposal("stop checks", "leave them", told)]


def _rate(arm: ArmWeek) -> float:
    return arm.rate or 0.0


def _arm(arm: ArmWeek) -> str:
    judged = arm.successes + arm.failures
    return f"{arm.arm}: {arm.successes} of {judged} succeeded, ${arm.cost_usd / arm.results:.4f} each"


def _listed(seen: "tuple[ArmWeek, ...] | list[ArmWeek]", what: str) -> str:
    return f"no {what}" if not seen else "; ".join(_arm(arm) for arm in seen)

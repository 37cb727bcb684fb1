"""What a policy would do at one point of the past, beside what was done there."""

import msgspec

from .entries import Entry
from .situation import Situation

Chances = dict[str, float]
Expected = tuple[float, float, float, float]  # success, dollars of cost, seconds, dollars of utility
NOTHING: Expected = (0.0, 0.0, 0.0, 0.0)


class Prospect(msgspec.Struct):
    """Chances of every arm under the policy and as recorded, and what was expected of each at that moment.

    `unsupported` is the share of the policy's choices that could not have been seen, `clipped` the share that is cut
    from weights above the limit; `missed` is what was expected of both.
    """

    chances: Chances
    before: Chances
    models: dict[str, Expected]
    base: Expected
    base_before: Expected
    unsupported: float
    clipped: float
    missed: Expected
    tails: dict[str, float]
    failed: bool


def prospect_of(entry: Entry, recorded: Entry, probed: bool, clip: float) -> Prospect:
    chances, before = lot(entry, probed), lot(recorded, probed)
    models = _models(entry.situation, recorded.situation, chances | before)
    unsupported = clipped = 0.0
    missed = NOTHING
    for arm, chance in chances.items():
        had = before.get(arm, 0.0)
        rest = chance - clip * had
        if rest > 0.0:
            if had:
                clipped += rest
            else:
                unsupported += rest
            missed = _plus(missed, rest, models[arm])
    return Prospect(
        chances, before, models, _mean(chances, models), _mean(before, models), unsupported, clipped, missed,
        slow_tails(entry.situation), len(entry.bypassed) > len(recorded.bypassed),
    )  # fmt: skip


def lot(entry: Entry, probed: bool) -> Chances:
    """The chance of each arm; a decision that was sent as a probe is one under every policy that would send one."""
    if probed and entry.probe is not None:
        return {entry.probe.arm.name: 1.0}
    return dict(zip(entry.choice.arms, entry.choice.chances, strict=True))


def slow_tails(situation: Situation) -> dict[str, float]:
    """Dollars that slow tails take from arms here; where a tool loop leaves an arm out for it, its whole price."""
    penalties, policy = situation.state.penalties, situation.policy
    if not penalties or not policy.tail_slo:
        return {}
    chosen = situation.allowed or situation.spared
    found = {arm.name: parts.tail for arm, parts in zip(chosen, situation.adjustments, strict=True) if parts.tail}
    if situation.request.in_tool_loop:
        for name, _ in situation.filtered:
            if name in penalties:
                found[name] = -penalties[name] * policy.success_value_usd
    return found


def _models(situation: Situation, recorded: Situation, arms: Chances) -> dict[str, Expected]:
    """What was believed before the decision: the past alone, so that no result can have shaped its own expectation."""
    policy = situation.policy
    value, second = policy.success_value_usd, policy.time_value_usd_per_s
    believed = dict(zip(recorded.board.names, recorded.beliefs, strict=False))
    if situation is not recorded:
        believed.update(zip(situation.board.names, situation.beliefs, strict=False))
    found = dict[str, Expected]()
    for name in arms:
        belief = believed.get(name)
        if belief is None:
            prior = situation.arms.by_name[name].prior
            found[name] = (prior, 0.0, 0.0, value * prior)
        else:
            success, cost, time = belief.success, belief.cost, belief.time
            found[name] = (success, cost, time, value * success - cost - second * time)
    return found


def _mean(chances: Chances, models: dict[str, Expected]) -> Expected:
    success = cost = time = utility = 0.0
    for arm, chance in chances.items():
        model = models[arm]
        success += chance * model[0]
        cost += chance * model[1]
        time += chance * model[2]
        utility += chance * model[3]
    return success, cost, time, utility


def _plus(total: Expected, share: float, part: Expected) -> Expected:
    return (
        total[0] + share * part[0],
        total[1] + share * part[1],
        total[2] + share * part[2],
        total[3] + share * part[3],
    )

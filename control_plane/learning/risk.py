"""What was learned, as advice for one task: warnings, suggestions, a risk score, and which arms to trust less."""

from types import MappingProxyType
from typing import Final

import msgspec

from .patterns import ANTI_PATTERNS, POSITIVE_PATTERNS, Pattern, strength
from .state import LearningState

STRONGEST: Final = 10
QUOTA_RISK: Final = 0.85
# The quota that a record tells of is news for so long.
QUOTA_FRESH: Final = 3600.0
SHOTGUN_FROM: Final = 3
# How fast bad experience with an arm turns into a penalty on its chance of success, and the most that it may cost.
PENALTY_HALF, PENALTY_MOST = 40.0, 0.5


class RiskPolicy(msgspec.Struct, frozen=True):
    """`pause_above` may be set from 5 to 50."""

    warn_above: float = 5.0
    pause_above: float = 15.0
    override_above: float = 20.0

    def __post_init__(self) -> None:
        if not 5.0 <= self.pause_above <= 50.0:
            raise ValueError("pause_above is 5 to 50")


class Lesson(msgspec.Struct, frozen=True):
    """`overrides`: the risk is so high that the agent's own wish to go on counts no more."""

    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    risk_score: float = 0.0
    should_pause: bool = False
    overrides: bool = False
    arm_penalties: MappingProxyType[str, float] | dict[str, float] = MappingProxyType({})


NOTHING: Final = Lesson()
_DEFAULT: Final = RiskPolicy()
_TIMES: Final = {"type_suppression": 5.0, "inefficient_solution": 1.5, "quota_exhaustion_risk": 1.0}


def lesson(
    state: LearningState,
    task_type: str,
    now: float,
    *,
    repo: str | None = None,
    error_type: str | None = None,
    attempt: int = 1,
    tool: str | None = None,
    place: str | None = None,
    quota: float = 0.0,
    policy: RiskPolicy = _DEFAULT,
) -> Lesson:
    """Pure: the same state, task and `now` give the same lesson."""
    kept = state.tasks.get(task_type)
    if not kept:
        return NOTHING if quota <= QUOTA_RISK else Lesson((_quota_warning(quota),), should_pause=True)
    here = [(strength(one, now), one) for one in kept.values() if repo is None or one.repo in (None, repo)]
    good = [(weight, one) for weight, one in here if one.positive]
    against = [(weight, one) for weight, one in here if not one.positive]
    bad = [(weight * match_score(one, error_type, attempt, tool, place), one) for weight, one in against]
    bad = [(score, one) for score, one in bad if score]
    bad.sort(key=lambda pair: (-pair[0], pair[1].name))
    good.sort(key=lambda pair: (-pair[0], pair[1].name))
    quota = max([quota, *[one.quota for _, one in against if now - one.last <= QUOTA_FRESH]])
    risk = sum(score for score, _ in bad[:STRONGEST])
    told = _warnings(bad, task_type) if risk > policy.warn_above else ()
    return Lesson(
        (*told, _quota_warning(quota)) if quota > QUOTA_RISK else told,
        _suggestions(good),
        risk,
        risk > policy.pause_above or quota > QUOTA_RISK,
        risk > policy.override_above,
        _penalties(here),
    )


def _penalties(weighed: list[tuple[float, Pattern]]) -> dict[str, float]:
    standing: dict[str, float] = {}
    for weight, pattern in weighed:
        if pattern.arm is not None:
            standing[pattern.arm] = standing.get(pattern.arm, 0.0) + (-weight if pattern.positive else weight)
    return {
        arm: PENALTY_MOST * weight / (weight + PENALTY_HALF) for arm, weight in sorted(standing.items()) if weight > 0.0
    }


def match_score(pattern: Pattern, error_type: str | None, attempt: int, tool: str | None, place: str | None) -> float:
    """How much a pattern has to do with this task; what neither side tells counts once."""
    match pattern.name:
        case "shotgun_debug":
            return 3.0 if attempt >= SHOTGUN_FROM else 0.0
        case "failed_debug" | "repeated_mistake":
            return _same(pattern.error_type, error_type, 4.0)
        case "wrong_tool":
            return _same(pattern.tool, tool, 2.0)
        case "broken_state":
            return _same(pattern.place, place, 2.0)
        case name:
            return _TIMES.get(name, 1.0)


def _same(seen: str | None, asked: str | None, times: float) -> float:
    if seen is None or asked is None:
        return 1.0
    return times if seen == asked else 0.0


def _warnings(bad: list[tuple[float, Pattern]], task_type: str) -> tuple[str, ...]:
    """One for each name, the strongest first."""
    counts: dict[str, int] = {}
    for _, pattern in bad[:STRONGEST]:
        counts[pattern.name] = counts.get(pattern.name, 0) + pattern.occurrences
    return tuple(
        f"{name} was seen {count} {'time' if count == 1 else 'times'} in {task_type}: {ANTI_PATTERNS[name]}"
        for name, count in counts.items()
    )


def _suggestions(good: list[tuple[float, Pattern]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for _, pattern in good[:STRONGEST]:
        by = f" (with {pattern.arm})" if pattern.arm is not None else ""
        found.setdefault(f"{POSITIVE_PATTERNS[pattern.name]}{by}")
    return tuple(found)[:3]


def _quota_warning(quota: float) -> str:
    return f"{quota:.0%} of the quota is used"

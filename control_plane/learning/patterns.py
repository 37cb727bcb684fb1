"""The patterns that are known, what each weighs, how similar ones merge and how they fade."""

from math import log2
from types import MappingProxyType
from typing import Final

import msgspec

DAY: Final = 86_400.0
WEIGHTS: Final = MappingProxyType({"critical": 10.0, "high": 7.0, "medium": 4.0, "low": 2.0, "info": 1.0})
HEAVIEST: Final = 50.0

# What to do about each, in words.
ANTI_PATTERNS: Final = MappingProxyType(
    {
        "failed_debug": "read the error again before the next attempt",
        "inefficient_solution": "ask for a smaller change",
        "repeated_mistake": "look at how it was mended the last time",
        "wrong_tool": "use another tool",
        "type_suppression": "mend the type instead of silencing the checker",
        "shotgun_debug": "stop editing and find the cause first",
        "broken_state": "return to the last state that worked",
        "quota_exhaustion_risk": "spend less, or wait for the quota",
    }
)
POSITIVE_PATTERNS: Final = MappingProxyType(
    {
        "efficient_debug": "find the cause first, then make one change",
        "creative_solution": "try another way when the first one fails twice",
        "good_delegation": "hand the part that another agent does better to it",
        "clean_refactor": "refactor in steps that keep the checks green",
        "fast_resolution": "the short way works here",
    }
)
# Age in days, and how much then counts.
_FADING: Final = ((7.0, 1.0), (30.0, 0.3), (120.0, 0.1))


class Pattern(msgspec.Struct):
    """Similar records, merged. `core` ones are rules of the house and never fade."""

    name: str
    weight: float
    severity: str
    last: float
    occurrences: int = 1
    error_type: str | None = None
    tool: str | None = None
    place: str | None = None
    arm: str | None = None
    repo: str | None = None
    quota: float = 0.0
    core: bool = False

    @property
    def positive(self) -> bool:
        return self.name in POSITIVE_PATTERNS


def merge(pattern: Pattern, severity: str, at: float, quota: float = 0.0) -> None:
    """One more of the same: half of its weight is added."""
    pattern.occurrences += 1
    pattern.weight = min(HEAVIEST, pattern.weight + WEIGHTS[severity] / 2)
    if WEIGHTS[severity] > WEIGHTS[pattern.severity]:
        pattern.severity = severity
    if at >= pattern.last:
        pattern.last, pattern.quota = at, quota


def decay(age_s: float) -> float:
    """Full for a week, less and less until 120 days have passed, never quite nothing."""
    days = age_s / DAY
    before, full = _FADING[0]
    if days <= before:
        return full
    for after, less in _FADING[1:]:
        if days <= after:
            return full + (less - full) * (days - before) / (after - before)
        before, full = after, less
    return full


def strength(pattern: Pattern, now: float) -> float:
    """What it weighs now; repetition counts by its logarithm."""
    fading = 1.0 if pattern.core else decay(now - pattern.last)
    return pattern.weight * fading * (1.0 + log2(pattern.occurrences))

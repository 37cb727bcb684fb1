"""A strategy that keeps failing is bypassed for a moment and then tried by one call at a time.

While `clean` is true nothing needs to be asked or told, so a healthy strategy costs one look at an attribute.
"""

from collections.abc import Mapping

import msgspec

from ..errors import BadInput


class HealthPolicy(msgspec.Struct, frozen=True):
    """The cap stays below a second, so that a strategy is back within a second after its fault clears."""

    threshold: int = 2  # failures in a row
    window_s: float = 60.0  # an older failure belongs to no row
    cooldown_s: float = 0.2
    growth: float = 2.0
    cap_s: float = 0.8
    probe_s: float = 0.8  # then a probe that nobody told of is lost

    def __post_init__(self) -> None:
        times = self.window_s > 0.0 and 0.0 < self.cooldown_s <= self.cap_s and self.probe_s > 0.0
        if not (times and self.threshold >= 1 and self.growth >= 1.0):
            raise BadInput(f"{self} is no health policy", cure="threshold and growth from 1, times above 0")


DEFAULT = HealthPolicy()


class StrategyHealth(msgspec.Struct):
    clean: bool = True
    consecutive_failures: int = 0
    total_failures: int = 0
    bypass_count: int = 0
    bypass_until: float = 0.0
    bypassed: bool = False
    bypasses_in_row: int = 0
    failed_at: float = 0.0
    reason: str = ""
    probe_until: float = 0.0
    turned_at: float = 0.0  # the window of failures is two halves
    failures: int = 0
    failures_before: int = 0


class HealthSummary(msgspec.Struct, frozen=True):
    """How many strategies are bypassed, have failures in the window or in a row, and exist."""

    active_bypass: int
    unhealthy: int
    total: int


def failed(health: StrategyHealth, now: float, reason: str, policy: HealthPolicy = DEFAULT) -> bool:
    """Fold one failure; true when it is the one that bypasses the strategy, again or for the first time."""
    if abs(now - health.failed_at) >= policy.window_s:
        health.consecutive_failures = 0
    _count(health, now, policy)
    health.clean = False
    health.consecutive_failures += 1
    health.total_failures += 1
    health.failed_at, health.reason = now, reason
    if health.bypassed and _waits(health.bypass_until, now, policy.cap_s):
        return False  # a call that was under way already
    if not health.bypassed and health.consecutive_failures < policy.threshold:
        return False
    cooldown = policy.cooldown_s
    for _ in range(health.bypasses_in_row):
        cooldown = min(policy.cap_s, cooldown * policy.growth)
        if cooldown == policy.cap_s:
            break
    health.bypassed = True
    health.bypasses_in_row += 1
    health.bypass_count += 1
    health.bypass_until = now + cooldown
    health.probe_until = 0.0
    return True


def succeeded(health: StrategyHealth, now: float, policy: HealthPolicy = DEFAULT) -> bool:
    """Fold one success; true when it ends a bypass."""
    if health.clean or (health.bypassed and _waits(health.bypass_until, now, policy.cap_s)):
        return False
    recovered = health.bypassed
    health.clean, health.bypassed = True, False
    health.consecutive_failures = health.bypasses_in_row = 0
    health.probe_until = 0.0
    return recovered


def allowed(health: StrategyHealth, now: float, policy: HealthPolicy = DEFAULT) -> bool:
    """Whether a decision may ask this strategy; while bypassed, only as the one probe after the cooldown."""
    if not health.bypassed:
        return True
    return not _waits(health.bypass_until, now, policy.cap_s) and not _waits(health.probe_until, now, policy.probe_s)


def probe_started(health: StrategyHealth, now: float, policy: HealthPolicy = DEFAULT) -> bool:
    """A decision took the one probe; false when another one has it."""
    if not health.bypassed or not allowed(health, now, policy):
        return False
    health.probe_until = now + policy.probe_s
    return True


def recent_failures(health: StrategyHealth, now: float, policy: HealthPolicy = DEFAULT) -> int:
    """Failures in the rolling window, which is between half full and full."""
    age = abs(now - health.turned_at)
    if age >= policy.window_s:
        return 0
    return health.failures + (health.failures_before if age < policy.window_s / 2.0 else 0)


def summary(strategies: Mapping[str, StrategyHealth], now: float, policy: HealthPolicy = DEFAULT) -> HealthSummary:
    return HealthSummary(
        active_bypass=sum(health.bypassed for health in strategies.values()),
        unhealthy=sum(not h.clean or recent_failures(h, now, policy) > 0 for h in strategies.values()),
        total=len(strategies),
    )


def _waits(until: float, now: float, most: float) -> bool:
    """Whether a time is still to come; one far beyond what could be set is from before the clock was set back."""
    return 0.0 < until - now <= 2.0 * most


def _count(health: StrategyHealth, now: float, policy: HealthPolicy) -> None:
    age = abs(now - health.turned_at)
    if age >= policy.window_s / 2.0:
        health.failures_before = health.failures if age < policy.window_s else 0
        health.failures = 0
        health.turned_at = now
    health.failures += 1

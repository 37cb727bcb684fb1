"""What a simulation says: what could be judged and what not, what it would have come to, and how sure that is."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal

import msgspec

from .estimates import Estimates
from .hdr import percentiles
from .sim_totals import MEASURES, Totals

SAMPLES = 10
Fidelity = Literal["demo", "degraded", "live"]
FIDELITIES: tuple[Fidelity, ...] = ("demo", "degraded", "live")
Risk = Literal["low", "medium", "high"]
# Below so many decisions' worth of evidence, or beyond this share without any, an estimate is to be read with care.
ENOUGH, TOO_BLIND = 100.0, 0.1
# While so much less success cannot be ruled out, the history has not said enough.
NOT_RULED_OUT = 0.25
ACCEPTANCE = 0.9
# A tail over its limit is the policy's doing when it is so much slower than it was.
WORSE = 1.1


class SimulationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which decisions (all, or those named), and what is asked of each to be evidence."""

    events: tuple[str, ...] | None = None
    signing_mode: Literal["off", "allow-unsigned", "require-signed", "require-valid-signature"] = (
        "require-valid-signature"
    )
    replay_seed: str = ""
    trace_ids_required: bool = False
    minimum_fidelity: Fidelity = "demo"
    p95_ms: float = 2_200.0
    p99_ms: float = 3_500.0


class Rejection(msgspec.Struct):
    count: int = 0
    samples: list[str] = []


class Provenance(msgspec.Struct, frozen=True):
    """Where the evidence comes from: a stretch of one ledger, decided again and found the same."""

    since: int
    until: int
    ledger_position: int
    declared: tuple[str, ...]
    signing_mode: str
    signed_upto: int
    replay_seed: str
    replayed: int
    repeated: int


class FidelityProjection(msgspec.Struct, frozen=True):
    level: Fidelity
    with_tokens: int
    with_trace: int
    minimum: Fidelity


class Percentiles(msgspec.Struct, frozen=True):
    p50: float | None
    p95: float | None
    p99: float | None


class TailTerm(msgspec.Struct, frozen=True):
    """How often, and by how many dollars on average, a slow tail spoke against an arm."""

    decisions: int
    mean_usd: float


class LatencyProjection(msgspec.Struct, frozen=True):
    """Milliseconds, weighted as the policy would have chosen; beside what was recorded."""

    projected: Percentiles
    recorded: Percentiles
    p95_limit_ms: float
    p99_limit_ms: float
    within_p95: bool | None
    within_p99: bool | None
    arms: dict[str, Percentiles]
    tail_terms: dict[str, TailTerm]


class Overlap(msgspec.Struct, frozen=True):
    """How much of what the policy would do the history can speak for."""

    effective: float
    mean_weight: float
    heaviest: float
    clip: float
    clipped: float
    unsupported: float


class RiskSummary(msgspec.Struct, frozen=True):
    level: Risk
    inconclusive: bool
    reasons: tuple[str, ...]


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    policy_hash: str
    total: int
    accepted: int
    rejected: int
    acceptance_ratio: float | None
    rejections: dict[str, Rejection]
    provenance: Provenance
    fidelity: FidelityProjection
    latency: LatencyProjection
    outcomes_known: int
    corrections: int
    same_arm: int
    overlap: Overlap
    estimates: dict[str, Estimates]
    choices: dict[str, dict[str, float]]
    choices_before: dict[str, dict[str, float]]
    risk: RiskSummary

    @property
    def passed(self) -> bool:
        """Evidence that holds: enough was accepted, nothing speaks against it. It activates nothing."""
        return self.accepted > 0 and (self.acceptance_ratio or 0.0) >= ACCEPTANCE and self.risk.level != "high"

    def as_facts(self) -> dict[str, Any]:
        """Plain values, without numbers that JSON has no word for."""
        facts: dict[str, Any] = _finite(msgspec.to_builtins(self))
        return {"passed": self.passed, **facts}


def fidelity_of(given: int, tokens: int, trace: int, minimum: Fidelity) -> FidelityProjection:
    """Live where every decision tells tokens and trace, demo where none tells anything."""
    level: Fidelity = "live" if given and tokens == trace == given else "degraded" if tokens or trace else "demo"
    return FidelityProjection(level, tokens, trace, minimum)


def latency_of(totals: Totals, request: SimulationRequest) -> LatencyProjection:
    projected = _percentiles(_together(totals.latencies))
    return LatencyProjection(
        projected,
        _percentiles(_together(totals.latencies_before)),
        request.p95_ms,
        request.p99_ms,
        None if projected.p95 is None else projected.p95 <= request.p95_ms,
        None if projected.p99 is None else projected.p99 <= request.p99_ms,
        {arm: _percentiles(totals.latencies_before[arm]) for arm in sorted(totals.latencies_before)},
        {arm: TailTerm(count, total / count) for arm, (count, total) in sorted(totals.tails.items())},
    )


def overlap_of(totals: Totals, clip: float) -> Overlap:
    n = totals.accepted or 1
    return Overlap(
        totals.weight * totals.weight / totals.squares if totals.squares else 0.0,
        totals.weight / n,
        totals.heaviest,
        clip,
        totals.clipped / n,
        totals.unsupported / n,
    )


def estimates_of(totals: Totals) -> dict[str, Estimates]:
    named = zip(MEASURES, totals.measures, strict=True)
    return {name: found for name, measure in named if (found := measure.estimates()) is not None}


def risk_of(
    total: int, accepted: int, overlap: Overlap, estimates: Mapping[str, Estimates], latency: LatencyProjection
) -> RiskSummary:
    """High: surely worse, or hardly any evidence. Medium: it may be worse, or we cannot know."""
    high, medium = list[str](), list[str]()
    if not accepted or accepted < ACCEPTANCE * total:
        high.append(f"{accepted:,} of {total:,} decisions are evidence, fewer than {ACCEPTANCE:.0%}")
    for name in ("success", "utility_usd"):
        if name in estimates and estimates[name].delta.high < 0.0:
            high.append(f"{name} is surely lower than recorded, by {-estimates[name].delta.value:.4f}")
    for percent, now, before, limit in (
        ("p95", latency.projected.p95, latency.recorded.p95, latency.p95_limit_ms),
        ("p99", latency.projected.p99, latency.recorded.p99, latency.p99_limit_ms),
    ):
        if now is not None and before is not None and now > limit:
            words = f"{percent} of {now:,.0f} ms is over its limit of {limit:,.0f} ms, recorded was {before:,.0f} ms"
            (high if now > WORSE * before else medium).append(words)
    blind = overlap.clipped + overlap.unsupported
    success = estimates.get("success")
    if success is None:
        medium.append("no outcome is known")
    elif success.delta.low < -NOT_RULED_OUT:
        medium.append(f"it cannot be ruled out that {-success.delta.low:.0%} more of all tasks would fail")
    if success is not None and overlap.effective < ENOUGH:
        medium.append(f"the evidence is worth {overlap.effective:.0f} decisions, fewer than {ENOUGH:.0f}")
    if blind > TOO_BLIND:
        medium.append(f"{blind:.0%} of what it would choose was never, or too seldom, chosen")
    level: Risk = "high" if high else "medium" if medium else "low"
    unsaid = success is None or (success.delta.low < -NOT_RULED_OUT and success.delta.high >= 0.0)
    return RiskSummary(level, unsaid, (*high, *medium))


def _percentiles(weights: Mapping[int, float]) -> Percentiles:
    p50, p95, p99 = percentiles(weights, [50.0, 95.0, 99.0])
    return Percentiles(p50, p95, p99)


def _together(arms: Mapping[str, Mapping[int, float]]) -> dict[int, float]:
    merged: dict[int, float] = {}
    for weights in arms.values():
        for bucket, weight in weights.items():
            merged[bucket] = merged.get(bucket, 0.0) + weight
    return merged


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value

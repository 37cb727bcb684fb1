"""An arm's tail in figures for people and for simulations."""

import math

import msgspec

from .binomial import too_few, too_many
from .hdr import COARSE, percentiles
from .tails import KEPT, SHARES, Slice, Tail


class TailSummary(msgspec.Struct, frozen=True):
    """The window's percentiles in ms; a bound is None while there are too few calls to have one."""

    count: int = 0
    censored: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_bound_low: float | None = None
    p99_bound_high: float | None = None
    ttft_p50: float | None = None
    ttft_p95: float | None = None
    usual_p95: float | None = None
    usual_p99: float | None = None


def summary(tail: Tail, now: float) -> TailSummary:
    window = [piece for piece in tail.slices if abs(now - piece.since) < KEPT * tail.policy.slice_s]
    count = sum(piece.count for piece in window)
    ended, cut = _merged(window, "total"), _merged(window, "cut")
    low, high = _p99_ranks(count)
    edges = [100.0 if low is None else low, 100.0 if high is None else high]
    p50, p95, p99, bound_low, bound_high = percentiles(_spread_censored(ended, cut), [50.0, 95.0, 99.0, *edges])
    ttft_p50, ttft_p95 = percentiles(_merged(window, "first"), [50.0, 95.0])
    usual_p95, usual_p99 = percentiles(tail.usual, [95.0, 99.0], COARSE)
    return TailSummary(
        count=count,
        censored=int(math.fsum(cut.values())),
        p50=p50,
        p95=p95,
        p99=p99,
        p99_bound_low=None if low is None else bound_low,
        p99_bound_high=None if high is None else bound_high,
        ttft_p50=ttft_p50,
        ttft_p95=ttft_p95,
        usual_p95=usual_p95,
        usual_p99=usual_p99,
    )


def _p99_ranks(count: int) -> tuple[float | None, float | None]:
    """The percentiles of the window between which the true p99 lies, one-sided each."""
    slow, few = too_many(count, SHARES[1]), too_few(count, SHARES[1])
    low = 100.0 * (count - slow + 1) / count if 0 < slow <= count else None
    return low, None if few is None else 100.0 * (count - few) / count


def _merged(window: list[Slice], field: str) -> dict[int, float]:
    merged: dict[int, float] = {}
    for piece in window:
        counts: dict[int, int] = getattr(piece, field)
        for bucket, count in counts.items():
            merged[bucket] = merged.get(bucket, 0.0) + count
    return merged


def _spread_censored(ended: dict[int, float], cut: dict[int, float]) -> dict[int, float]:
    """Each censored call's weight, shared among those that took longer (Kaplan-Meier); the last ones keep theirs."""
    slower = math.fsum(ended.values()) + math.fsum(cut.values())
    weight, weights = 1.0, {}
    for bucket in sorted(ended.keys() | cut.keys()):
        here, stopped = ended.get(bucket, 0.0), cut.get(bucket, 0.0)
        slower -= here + stopped
        weights[bucket] = weight * (here if slower else here + stopped)
        if slower:
            weight *= (slower + stopped) / slower
    return weights

"""An arm's figures over a window of time: share, success with its interval, cost, and percentiles bucket by bucket."""

from collections.abc import Iterable, Sequence
from math import ceil, sqrt
from typing import Final

import msgspec

from .recent import Given, Result

BUCKETS: Final = 48
WINDOWS: Final = (900, 3_600, 21_600, 86_400, 604_800, 2_592_000)
# Two-sided 95 %.
Z: Final = 1.959964


class Line(msgspec.Struct):
    """One value a bucket; None where nothing came in. `first` and `last` are positions of the results in it."""

    count: list[int]
    failures: list[int]
    p50: list[float | None]
    p95: list[float | None]
    p99: list[float | None]
    first: list[int | None]
    last: list[int | None]


class ArmFigures(msgspec.Struct, kw_only=True):
    arm: str
    given: int
    share: float
    results: int
    successes: int
    judged: int
    low: float | None
    high: float | None
    cost: float
    paid: int
    p50: float | None
    p95: float | None
    p99: float | None
    line: Line


def interval(successes: int, judged: int) -> tuple[float, float] | None:
    """Wilson's: it never leaves 0 to 1 and holds for few runs, too."""
    if not judged:
        return None
    share, square = successes / judged, Z * Z
    middle = (share + square / (2 * judged)) / (1 + square / judged)
    half = Z / (1 + square / judged) * sqrt(share * (1 - share) / judged + square / (4 * judged * judged))
    return max(0.0, middle - half), min(1.0, middle + half)


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank: a value that was measured, not one in between."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def fitting(newest: float | None, now: float) -> int:
    """The shortest window that holds the newest result."""
    age = 0.0 if newest is None else now - newest
    return next((window for window in WINDOWS if age < window * 0.9), WINDOWS[-1])


def figures(
    names: Iterable[str], results: Sequence[Result], given: Sequence[Given], begin: float, now: float
) -> list[ArmFigures]:
    """`results` and `given` lie in the window already; an arm without any is there all the same."""
    by_arm: dict[str, list[Result]] = {name: [] for name in names}
    for one in results:
        by_arm.setdefault(one.arm, []).append(one)
    counts: dict[str, int] = {}
    for piece in given:
        counts[piece.arm] = counts.get(piece.arm, 0) + 1
        by_arm.setdefault(piece.arm, [])
    return [
        _figures(name, own, counts.get(name, 0), len(given), begin, (now - begin) / BUCKETS)
        for name, own in by_arm.items()
    ]


def _figures(name: str, own: list[Result], given: int, of: int, begin: float, width: float) -> ArmFigures:
    judged = [one.success for one in own if one.success is not None]
    times = sorted(one.latency_ms for one in own if one.latency_ms is not None)
    costs = [one.cost_usd for one in own if one.cost_usd is not None]
    band = interval(sum(judged), len(judged))
    return ArmFigures(
        arm=name,
        given=given,
        share=given / of if of else 0.0,
        results=len(own),
        successes=sum(judged),
        judged=len(judged),
        low=band[0] if band else None,
        high=band[1] if band else None,
        cost=sum(costs),
        paid=len(costs),
        p50=quantile(times, 0.5),
        p95=quantile(times, 0.95),
        p99=quantile(times, 0.99),
        line=_line(own, begin, width),
    )


def _line(own: list[Result], begin: float, width: float) -> Line:
    line = Line([], [], [], [], [], [], [])
    pieces: list[list[Result]] = [[] for _ in range(BUCKETS)]
    for one in own:
        pieces[min(BUCKETS - 1, max(0, int((one.at - begin) / width)))].append(one)
    for piece in pieces:
        times = sorted(one.latency_ms for one in piece if one.latency_ms is not None)
        line.count.append(len(piece))
        line.failures.append(sum(one.success is False for one in piece))
        line.p50.append(quantile(times, 0.5))
        line.p95.append(quantile(times, 0.95))
        line.p99.append(quantile(times, 0.99))
        line.first.append(min((one.position for one in piece), default=None))
        line.last.append(max((one.position for one in piece), default=None))
    return line

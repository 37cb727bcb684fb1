"""Adds up what accepted decisions came to, in sums that need no decision kept."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from .entries import Entry
from .estimates import Batch, Measure
from .hdr import fine_bucket
from .outcomes import Outcome
from .prospects import Prospect
from .replay import BITS, Drawn
from .terms import Policy

K = TypeVar("K")
MEASURES = ("success", "cost_usd", "seconds", "utility_usd")


class Judged(Drawn):
    """Decisions of one kind and arm, how much each counts under the policy, and the results since the last count."""

    prospect: Prospect | None = None
    chosen: Entry | None = None
    refusal: str = ""
    steps: int = 0
    weight: float = 0.0
    same_first: int = 0
    same_end: int = 0
    given: int = 0
    # Known results, their sum and the sum of their squares, measure by measure.
    sums: list[float] = msgspec.field(default_factory=list)
    buckets: dict[int, int] = msgspec.field(default_factory=dict)


class Given(msgspec.Struct, gc=False):
    """One decision that waits for its results, for a while."""

    drawn: Judged
    trace: bool = False
    tokens: bool = False
    success: bool | None = None
    cost: float | None = None
    milliseconds: float | None = None


class Totals:
    """All that a report says in figures; what is unlimited in number is summed at once."""

    def __init__(self, policy: Policy | None) -> None:
        self._policy = policy or Policy()
        self.measures = (Measure(0.0, 1.0), Measure(), Measure(), Measure())
        self.choices: dict[str, dict[str, float]] = {}
        self.choices_before: dict[str, dict[str, float]] = {}
        self.latencies: dict[str, dict[int, float]] = {}
        self.latencies_before: dict[str, dict[int, float]] = {}
        self.tails: dict[str, tuple[int, float]] = {}
        self.accepted = self.with_result = self.with_tokens = self.with_trace = 0
        self.weight = self.squares = self.heaviest = 0.0
        self.clipped = self.unsupported = 0.0

    def add(self, every: Iterable[Given]) -> None:
        """One pass without a call for each decision: this runs for all of them."""
        value, second = self._policy.success_value_usd, self._policy.time_value_usd_per_s
        touched, costs, times, worths = list[Judged](), list[float](), list[float](), list[float]()
        for given in every:
            drawn = given.drawn
            if not drawn.given:
                drawn.sums, drawn.buckets = [0.0] * 12, {}
                touched.append(drawn)
            drawn.given += 1
            sums, success, cost, ms = drawn.sums, given.success, given.cost, given.milliseconds
            if cost is not None:
                costs.append(cost)
                sums[3] += 1.0
                sums[4] += cost
                sums[5] += cost * cost
            if ms is not None:
                seconds = ms / 1000.0
                times.append(seconds)
                sums[6] += 1.0
                sums[7] += seconds
                sums[8] += seconds * seconds
                bucket = fine_bucket(ms)
                drawn.buckets[bucket] = drawn.buckets.get(bucket, 0) + 1
            if success is not None:
                sums[0] += 1.0
                sums[1] += success
                if cost is not None and (not second or ms is not None):
                    worth = value * success - cost - (second * seconds if second else 0.0)
                    worths.append(worth)
                    sums[9] += 1.0
                    sums[10] += worth
                    sums[11] += worth * worth
            self.with_tokens += given.tokens
            self.with_trace += given.trace
        for measure, seen in zip(self.measures[1:], (costs, times, worths), strict=True):
            measure.span(seen)
        for drawn in touched:
            self._settle(drawn)

    def _settle(self, drawn: Judged) -> None:
        n, w, sums, arm, prospect = drawn.given, drawn.weight, drawn.sums, drawn.arm, drawn.prospect
        assert prospect is not None
        # A success is 1 or 0, and so is its square.
        sums[2] = sums[1]
        self.accepted += n
        self.with_result += int(sums[0])
        self.weight += n * w
        self.squares += n * w * w
        self.heaviest = max(self.heaviest, w)
        self.unsupported += n * prospect.unsupported
        self.clipped += n * prospect.clipped
        gap, model = prospect.unsupported + prospect.clipped, prospect.models[arm]
        for i, measure in enumerate(self.measures):
            known = int(sums[3 * i])
            measure.add(
                arm,
                Batch(
                    n, known, sums[3 * i + 1], sums[3 * i + 2], w, model[i], prospect.base[i],
                    prospect.base_before[i], gap, prospect.missed[i],
                ),
            )  # fmt: skip
        kind = drawn.point.request.task_type
        _spread(self.choices.setdefault(kind, {}), prospect.chances.items(), n)
        _spread(self.choices_before.setdefault(kind, {}), prospect.before.items(), n)
        if drawn.buckets:
            _spread(self.latencies.setdefault(arm, {}), drawn.buckets.items(), w)
            _spread(self.latencies_before.setdefault(arm, {}), drawn.buckets.items(), 1)
        for name, dollars in prospect.tails.items():
            count, total = self.tails.get(name, (0, 0.0))
            self.tails[name] = count + n, total + n * dollars
        drawn.given = 0


def unfit(drawn: Judged, recorded: Entry) -> str:
    """Why a decision's chance cannot be relied on; empty where it can."""
    if drawn.end == drawn.first:
        return "not_repeated"
    chance = 1.0 if drawn.probed else recorded.choice.chances[recorded.choice.arms.index(drawn.arm)]
    return "" if chance == drawn.propensity else "propensity_differs"


def slots_of(entry: Entry, drawn: Judged) -> tuple[int, int]:
    """The slots that lead to the recorded arm under the policy, whatever path the words of it are."""
    if drawn.probed and entry.probe is not None:
        return (0, BITS + 1) if entry.probe.arm.name == drawn.arm else (0, 0)
    if drawn.arm not in entry.choice.arms:
        return 0, 0
    at = entry.choice.arms.index(drawn.arm)
    return entry.edges[at - 1] if at else 0, entry.edges[at]


def whole_run(steps: dict[int, Outcome], most: int) -> tuple[bool | None, float | None, float | None]:
    """Success, cost and milliseconds of a cascade's run, once it is whole and over."""
    taken = [steps[number] for number in sorted(steps)]
    last = taken[-1]
    over = len(taken) == most or last.verified is not False or last.truth is not None
    if sorted(steps) != list(range(len(taken))) or not over:
        return None, None, None
    costs, times = [one.cost for one in taken], [one.latency_ms for one in taken]
    known_costs, known_times = [c for c in costs if c is not None], [t for t in times if t is not None]
    return (
        last.truth,
        sum(known_costs) if len(known_costs) == len(costs) else None,
        sum(known_times) if len(known_times) == len(times) else None,
    )


def _spread(into: dict[K, float], parts: Iterable[tuple[K, float]], times: float) -> None:
    for key, part in parts:
        into[key] = into.get(key, 0.0) + times * part

"""How old the queue is, and how fast it moves: two service levels, each on the clock that it is given."""

import math

import msgspec

from .state import HOUR, WEEK, Queue

TARGET_HOURS, ON_TIME = 24.0, 0.95


class Slo(msgspec.Struct, frozen=True):
    """The ages of what waits."""

    p50_hours: float
    p95_hours: float
    max_hours: float
    target_hours: float
    met: bool = msgspec.field(name="pass")


class Throughput(msgspec.Struct, frozen=True):
    """Of what came due in the last week, the share that was resolved within the target."""

    queued: int
    resolved: int
    turnaround_p50_hours: float
    turnaround_p95_hours: float
    due: int
    on_time: float
    target: float
    met: bool = msgspec.field(name="pass")


def age_slo(queue: Queue, target_hours: float, now: float) -> Slo:
    ages = sorted(max(0.0, now - item.since) / HOUR for item in queue.waiting.values())
    p95 = quantile(ages, 0.95)
    return Slo(quantile(ages, 0.5), p95, ages[-1] if ages else 0.0, target_hours, p95 < target_hours)


def throughput(queue: Queue, target_hours: float, now: float) -> Throughput:
    begin, target = now - WEEK, target_hours * HOUR
    spans = [(item.since, item.at) for item in queue.resolved.values()]
    stays = sorted((at - since) / HOUR for since, at in spans if at > begin)
    came = [since for since, _ in spans] + [item.since for item in queue.waiting.values()]
    # An item comes due when it is resolved or reaches the target age, whichever is first.
    kept = [at - since < target for since, at in spans if min(at, since + target) > begin]
    late = sum(begin < item.since + target <= now for item in queue.waiting.values())
    due = len(kept) + late
    on_time = sum(kept) / due if due else 1.0
    return Throughput(
        queued=sum(since > begin for since in came),
        resolved=len(stays),
        turnaround_p50_hours=quantile(stays, 0.5),
        turnaround_p95_hours=quantile(stays, 0.95),
        due=due,
        on_time=on_time,
        target=ON_TIME,
        met=on_time >= ON_TIME,
    )


def quantile(ordered: list[float], share: float) -> float:
    """The nearest rank: an age that some item really has."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0

"""How slow an arm's slowest calls are, and what that costs it.

Results are kept in slices that turn by time and by count; six of them make the window that is judged. What leaves the
window goes into the arm's usual distribution. A limit is broken only when so many slow calls are hardly an accident.
"""

from functools import lru_cache

import msgspec

from ..errors import BadInput
from .binomial import too_many
from .hdr import LONGEST_MS, coarse_bucket, coarse_ceiling, fine_bucket, fine_floor, whole_ms

KEPT = 6  # slices in the window
SLICE_RESULTS = 24
FEWEST = 20  # known calls before anything is judged
SHARES = (0.05, 0.01)  # of the calls may be slower than the p95 limit, the p99 limit
STEPS = ((4.0, 1.0), (2.0, 0.75), (1.0, 0.5))  # surely more than so many times that share: so much of the penalty
NO_LIMIT = 1 << 30
USUAL_RESULTS = 192  # before there is a usual tail to compare with
USUAL_MEMORY = 8192.0  # weights that reach it are halved, so that last year fades
SICK_SLICES = 4  # of the slices that look sick only one in so many is taken for usual


class TailPolicy(msgspec.Struct, frozen=True):
    """A limit of None means: `worse` times what is usual for the arm."""

    p95_limit_ms: float | None = 2200.0
    p99_limit_ms: float | None = 3500.0
    max_penalty: float = 0.35
    worse: float = 3.0
    slice_s: float = 300.0

    def __post_init__(self) -> None:
        for limit in (self.p95_limit_ms, self.p99_limit_ms):
            if limit is not None and not 0.0 < limit <= LONGEST_MS:
                raise BadInput(f"a tail limit of {limit} ms cannot be kept", cure="give milliseconds, or none")
        if not (0.0 <= self.max_penalty <= 1.0 and self.worse >= 1.0 and self.slice_s > 0.0):
            raise BadInput(f"{self} is no tail policy", cure="penalty 0 to 1, worse at least 1, slices above 0 s")


class Slice(msgspec.Struct):
    """A few results; `cut` are the censored ones, `open95` and `open99` those cut before they reached the limit."""

    since: float
    count: int = 0
    slow95: int = 0
    slow99: int = 0
    open95: int = 0
    open99: int = 0
    total: dict[int, int] = {}
    first: dict[int, int] = {}
    cut: dict[int, int] = {}


class Tail(msgspec.Struct):
    """Fine buckets in the slices, coarse ones in `usual`; the limits are fine buckets too."""

    policy: TailPolicy = TailPolicy()
    limit95: int = fine_bucket(2200.0)
    limit99: int = fine_bucket(3500.0)
    slices: list[Slice] = []
    usual: dict[int, float] = {}
    usual_weight: float = 0.0
    sick_slices: int = 0
    # All calls so far, and how many of them took longer than the given p95 limit.
    calls: int = 0
    above: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """A broken limit: `part` of the penalty, for `slow` of `known` calls over the limit at `percent`."""

    part: float
    percent: int
    slow: int
    known: int


def observe(tail: Tail, now: float, latency_ms: float, ttft_ms: float | None = None, censored: bool = False) -> None:
    """Fold one call. A censored one (timed out, cancelled, still running) took at least this long."""
    slices = tail.slices
    newest = slices[-1] if slices else None
    if newest is None or newest.count >= SLICE_RESULTS or abs(now - newest.since) >= tail.policy.slice_s:
        newest = _begin_slice(tail, now)
    newest.count += 1
    tail.calls += 1
    limit = tail.policy.p95_limit_ms
    if limit is not None and latency_ms > limit:
        tail.above += 1
    # `fine_bucket`, written out: this runs for every result.
    value = int(latency_ms) if 0.0 <= latency_ms <= LONGEST_MS else whole_ms(latency_ms)
    shift = value.bit_length() - 8
    bucket = (shift << 7) + (value >> shift) if shift > 0 else value
    counts = newest.cut if censored else newest.total
    counts[bucket] = counts.get(bucket, 0) + 1
    if ttft_ms is not None:
        at = fine_bucket(ttft_ms)
        newest.first[at] = newest.first.get(at, 0) + 1
    reached = bucket + 1 if censored else bucket
    if reached > tail.limit95:
        newest.slow95 += 1
    elif censored:
        newest.open95 += 1
    if reached > tail.limit99:
        newest.slow99 += 1
    elif censored:
        newest.open99 += 1


def aim(tail: Tail, policy: TailPolicy) -> None:
    """Judge by this policy from now on, what is in the window included."""
    tail.policy = policy
    limits = _limits(tail)
    if limits != (tail.limit95, tail.limit99):
        tail.limit95, tail.limit99 = limits
        for piece in tail.slices:
            _recount(piece, *limits)


def penalty(tail: Tail, policy: TailPolicy, now: float, running_ms: list[float] | None = None) -> float:
    """0 to `max_penalty`, in steps; `running_ms` is how long each call under way has taken so far."""
    verdict = judge(tail, policy, now, running_ms)
    return 0.0 if verdict is None else verdict.part * policy.max_penalty


def reason(tail: Tail, policy: TailPolicy, now: float, running_ms: list[float] | None = None) -> str | None:
    verdict = judge(tail, policy, now, running_ms)
    if verdict is None:
        return None
    given = policy.p95_limit_ms if verdict.percent == 95 else policy.p99_limit_ms
    limit = _aimed(tail, policy).limit95 if verdict.percent == 95 else _aimed(tail, policy).limit99
    words = f"{given:g} ms" if given is not None else f"{policy.worse:g} times its usual, {fine_floor(limit)} ms"
    return f"p{verdict.percent} above {words}: {verdict.slow} of {verdict.known} recent calls were slower"


def judge(tail: Tail, policy: TailPolicy, now: float, running_ms: list[float] | None = None) -> Verdict | None:
    """The worst broken limit over the newest slice, the newest two, and so on to the whole window."""
    tail = _aimed(tail, policy)
    slow95, slow99 = _running(tail, running_ms) if running_ms else (0, 0)
    known95, known99 = slow95, slow99
    horizon = KEPT * policy.slice_s
    worst, percent, slow, known = 0.0, 0, 0, 0
    for piece in reversed(tail.slices):
        if abs(now - piece.since) >= horizon:
            break
        slow95 += piece.slow95
        known95 += piece.count - piece.open95
        if slow95 and (part := _part(slow95, known95, SHARES[0])) > worst:
            worst, percent, slow, known = part, 95, slow95, known95
        slow99 += piece.slow99
        known99 += piece.count - piece.open99
        if slow99 and (part := _part(slow99, known99, SHARES[1])) > worst:
            worst, percent, slow, known = part, 99, slow99, known99
    return Verdict(worst, percent, slow, known) if percent else None


@lru_cache(maxsize=16384)
def _part(slow: int, known: int, share: float) -> float:
    """How much of the penalty so many slow calls deserve; too few calls never condemn."""
    if known >= FEWEST:
        for times, part in STEPS:
            if slow >= too_many(known, times * share):
                return part
    return 0.0


def _running(tail: Tail, running_ms: list[float]) -> tuple[int, int]:
    """Only calls that have already passed a limit say anything about it."""
    reached = [fine_bucket(ms) + 1 for ms in running_ms]
    return sum(at > tail.limit95 for at in reached), sum(at > tail.limit99 for at in reached)


def _aimed(tail: Tail, policy: TailPolicy) -> Tail:
    """The tail itself, or when another policy is tried on it a copy that counts by that one."""
    if tail.policy is policy or tail.policy == policy:
        return tail
    trial = msgspec.structs.replace(tail, slices=[msgspec.structs.replace(piece) for piece in tail.slices])
    aim(trial, policy)
    return trial


def _begin_slice(tail: Tail, now: float) -> Slice:
    """The oldest slice goes over into what is usual."""
    fresh = Slice(now)
    tail.slices.append(fresh)
    if len(tail.slices) > KEPT:
        _retire(tail, tail.slices.pop(0), now)
    return fresh


def _retire(tail: Tail, oldest: Slice, now: float) -> None:
    relative = tail.policy.p95_limit_ms is None or tail.policy.p99_limit_ms is None
    if relative and judge(tail, tail.policy, now) is not None:
        tail.sick_slices += 1
        if tail.sick_slices % SICK_SLICES:
            return
    usual = tail.usual
    for counts in (oldest.total, oldest.cut):
        for bucket, count in counts.items():
            at = coarse_bucket(fine_floor(bucket))
            usual[at] = usual.get(at, 0.0) + count
            tail.usual_weight += count
    if tail.usual_weight >= USUAL_MEMORY:
        tail.usual_weight *= 0.5
        for at in usual:
            usual[at] *= 0.5
    if relative:
        aim(tail, tail.policy)


def _limits(tail: Tail) -> tuple[int, int]:
    given = tail.policy.p95_limit_ms, tail.policy.p99_limit_ms
    usual = _usual_limits(tail) if None in given else (NO_LIMIT, NO_LIMIT)
    return (
        usual[0] if given[0] is None else fine_bucket(given[0]),
        usual[1] if given[1] is None else fine_bucket(given[1]),
    )


def _usual_limits(tail: Tail) -> tuple[int, int]:
    """`worse` times the usual p95 and p99, walking down from the slowest bucket."""
    if tail.usual_weight < USUAL_RESULTS:
        return NO_LIMIT, NO_LIMIT
    above, limits = 0.0, [NO_LIMIT, NO_LIMIT]
    for at in sorted(tail.usual, reverse=True):
        above += tail.usual[at]
        for i, share in enumerate(SHARES):
            if limits[i] == NO_LIMIT and above >= share * tail.usual_weight:
                limits[i] = fine_bucket(tail.policy.worse * (coarse_ceiling(at) + 1))
        if limits[0] != NO_LIMIT:
            break
    return limits[0], limits[1]


def _recount(piece: Slice, limit95: int, limit99: int) -> None:
    piece.open95 = sum(count for bucket, count in piece.cut.items() if bucket < limit95)
    piece.open99 = sum(count for bucket, count in piece.cut.items() if bucket < limit99)
    cut = sum(piece.cut.values())
    piece.slow95 = cut - piece.open95 + sum(count for bucket, count in piece.total.items() if bucket > limit95)
    piece.slow99 = cut - piece.open99 + sum(count for bucket, count in piece.total.items() if bucket > limit99)

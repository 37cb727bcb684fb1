"""When an arm, or the provider behind several, is left alone for a while: closed, open, half-open, closed.

A breaker is a fold of results. What it does next follows from its state, a result and the recorded time; even the
jitter is a hash of recorded facts.
"""

import zlib

import msgspec

from ..errors import BadInput
from .choice import mix_bits

RETRY_CAP_S = 86_400.0  # a longer Retry-After is a mistake
SKEW_S = 60.0  # the clocks of two hosts may differ by so much
FAULTS = frozenset({"timeout", "rate_limit", "connection", "server"})  # the arm's; "caller" and "cancelled" are not


class BreakerPolicy(msgspec.Struct, frozen=True):
    consecutive: int = 3  # faults in a row that open a breaker
    faults: int = 5  # or so many within the window ...
    fault_share: float = 0.5  # ... if they are this share of the calls
    window_s: float = 60.0
    base_s: float = 5.0
    cap_s: float = 300.0
    jitter: float = 0.2  # of the wait, taken off, so that the cap holds
    calm_s: float = 600.0  # closed for so long, and the back-off begins anew
    probe_s: float = 30.0  # then a probe without a result is lost
    max_ejected: float = 0.5  # of the arms at a time

    def __post_init__(self) -> None:
        counts = min(self.consecutive, self.faults) >= 1
        times = self.window_s > 0.0 and self.probe_s > 0.0 and 0.0 < self.base_s <= self.cap_s
        shares = 0.0 <= self.jitter < 1.0 and 0.0 <= self.fault_share <= 1.0 and 0.0 <= self.max_ejected <= 1.0
        if not (counts and times and shares and self.calm_s >= 0.0):
            raise BadInput(f"{self} is no breaker policy", cure="counts from 1, times above 0, shares from 0 to 1")


DEFAULT = BreakerPolicy()


class Transition(msgspec.Struct, frozen=True):
    """A change that deserves an event. `frm` equals `to` when only the deadline moved."""

    name: str
    frm: str
    to: str
    reason: str
    until: float


class Status(msgspec.Struct, frozen=True):
    """For people: who is cooled, why and until when."""

    name: str
    state: str
    reason: str
    until: float
    openings: int
    probing: bool


class Breaker(msgspec.Struct):
    """`failing` is a provider's: the arms whose last call failed, and when."""

    name: str
    state: str = "closed"
    reason: str = ""
    until: float = 0.0
    until_since: float = 0.0  # when that was set
    closed_at: float = 0.0
    streak: int = 0  # openings in a row: the exponent of the back-off
    openings: int = 0  # ever: what the jitter is made of
    consecutive: int = 0
    refused: int = 0  # connection errors in a row
    turned_at: float = 0.0  # the window is two halves: this one and the one before
    calls: int = 0
    faults: int = 0
    calls_before: int = 0
    faults_before: int = 0
    probe_until: float = 0.0
    probe_since: float = 0.0
    probe: str | None = None
    failing: dict[str, float] = {}


def observe_result(
    breaker: Breaker,
    now: float,
    ok: bool | None,
    error: str | None = None,
    retry_after_s: float | None = None,
    *,
    policy: BreakerPolicy = DEFAULT,
    arm: str | None = None,
    decision: str | None = None,
) -> Transition | None:
    """Fold one result; for a provider's breaker `arm` says whose. Work that came but was wrong is no fault."""
    if error is None:
        return None if ok is None else _answered(breaker, now, policy, arm)
    if error not in FAULTS:
        # A caller's mistake or a cancelled call says nothing, but a probe that ended so lets the next one go.
        if decision is not None and decision == breaker.probe:
            breaker.probe, breaker.probe_until = None, 0.0
        return None
    _count(breaker, now, policy, 1)
    breaker.consecutive += 1
    breaker.refused = breaker.refused + 1 if error == "connection" else 0
    if arm is not None:
        breaker.failing[arm] = now
    wait = min(retry_after_s or 0.0, RETRY_CAP_S)
    if breaker.state == "closed":
        why = _why_open(breaker, now, policy, error, wait, arm)
        return None if why is None else _open(breaker, now, policy, why, wait)
    if breaker.state == "half-open" or not _held(breaker, now):
        return _open(breaker, now, policy, f"the probe failed: {error}", wait)
    # A straggler: it may ask for more patience, never for less, and it does not escalate.
    if arm is None and now + wait > breaker.until:
        return _change(breaker, now, breaker.state, f"{error}, retry after {wait:g} s", now + wait)
    return None


def may_probe(breaker: Breaker, now: float) -> bool:
    return breaker.state != "closed" and not _held(breaker, now) and not _probed(breaker, now)


def probe_started(
    breaker: Breaker, now: float, decision: str | None = None, *, policy: BreakerPolicy = DEFAULT
) -> Transition | None:
    """A decision took the one probe; until it ends or is lost there is no other."""
    if not may_probe(breaker, now):
        return None
    breaker.probe, breaker.probe_until, breaker.probe_since = decision, now + policy.probe_s, now
    return _change(breaker, now, "half-open", "one probe is under way", breaker.until)


def status(breaker: Breaker, now: float) -> Status:
    """An open breaker whose time is up is half-open: it waits for a probe."""
    state = "half-open" if breaker.state == "open" and not _held(breaker, now) else breaker.state
    probing = breaker.state == "half-open" and _probed(breaker, now)
    return Status(breaker.name, state, breaker.reason, breaker.until, breaker.openings, probing)


def answer_share(breaker: Breaker) -> float:
    """Recent calls that were answered, as a share; half when there were none."""
    calls = breaker.calls + breaker.calls_before
    return (calls - breaker.faults - breaker.faults_before + 1.0) / (calls + 2.0)


def answers_now(breaker: Breaker, now: float, policy: BreakerPolicy = DEFAULT) -> float:
    """The same as of now: calls from before the window do not count."""
    return answer_share(breaker) if abs(now - breaker.turned_at) < policy.window_s else 0.5


def _answered(breaker: Breaker, now: float, policy: BreakerPolicy, arm: str | None) -> Transition | None:
    _count(breaker, now, policy, 0)
    if breaker.consecutive:
        breaker.consecutive = breaker.refused = 0
    if breaker.failing and arm is not None:
        breaker.failing.pop(arm, None)
    # An answer before the time is up is a straggler from before the fault.
    if breaker.state == "closed" or (breaker.state == "open" and _held(breaker, now)):
        return None
    breaker.closed_at = now
    breaker.calls = breaker.faults = breaker.calls_before = breaker.faults_before = 0
    breaker.failing = {}
    return _change(breaker, now, "closed", "it answers again", breaker.until)


def _count(breaker: Breaker, now: float, policy: BreakerPolicy, fault: int) -> None:
    # `abs`: the clocks of two hosts may differ a little, and a clock that was set back must not stop the window.
    age = abs(now - breaker.turned_at)
    if age >= policy.window_s / 2.0:
        kept = age < policy.window_s
        breaker.calls_before = breaker.calls if kept else 0
        breaker.faults_before = breaker.faults if kept else 0
        breaker.calls = breaker.faults = 0
        breaker.turned_at = now
    breaker.calls += 1
    breaker.faults += fault


def _why_open(
    breaker: Breaker, now: float, policy: BreakerPolicy, error: str, wait: float, arm: str | None
) -> str | None:
    if arm is not None and not _is_shared(breaker, now, policy):
        return None
    if error == "rate_limit" and wait > 0.0 and (arm is None or breaker.consecutive >= 2):
        return f"rate limit, retry after {wait:g} s"
    if breaker.consecutive >= policy.consecutive:
        return f"{breaker.consecutive} faults in a row, the last one: {error}"
    faults, calls = breaker.faults + breaker.faults_before, breaker.calls + breaker.calls_before
    if faults >= policy.faults and faults >= policy.fault_share * calls:
        return f"{faults} of {calls} calls failed, the last one: {error}"
    return None


def _is_shared(breaker: Breaker, now: float, policy: BreakerPolicy) -> bool:
    """A provider is to blame when two of its arms fail, or when nobody can connect; not for one bad model."""
    for arm in [arm for arm, at in breaker.failing.items() if abs(now - at) >= policy.window_s]:
        del breaker.failing[arm]
    return len(breaker.failing) >= 2 or breaker.refused >= policy.consecutive


def _open(breaker: Breaker, now: float, policy: BreakerPolicy, why: str, wait: float) -> Transition:
    if breaker.state == "closed" and abs(now - breaker.closed_at) >= policy.calm_s:
        breaker.streak = 0
    backoff = min(policy.cap_s, policy.base_s * (1 << min(breaker.streak, 40)))
    chance = (mix_bits(zlib.crc32(breaker.name.encode()), breaker.openings) >> 11) / (1 << 53)
    breaker.streak += 1
    breaker.openings += 1
    breaker.probe, breaker.probe_until = None, 0.0
    return _change(breaker, now, "open", why, now + max(wait, backoff * (1.0 - policy.jitter * chance)))


def _held(breaker: Breaker, now: float) -> bool:
    return _ahead(breaker.until, breaker.until_since, now)


def _probed(breaker: Breaker, now: float) -> bool:
    return _ahead(breaker.probe_until, breaker.probe_since, now)


def _ahead(until: float, since: float, now: float) -> bool:
    """Whether a time is still to come; one that was set later than now is from before the clock was set back."""
    return since - SKEW_S <= now < until


def _change(breaker: Breaker, now: float, to: str, why: str, until: float) -> Transition:
    frm, breaker.state, breaker.reason = breaker.state, to, why
    if until != breaker.until and not (_held(breaker, now) and until < breaker.until):
        breaker.until, breaker.until_since = until, now
    return Transition(breaker.name, frm, to, why, breaker.until)

"""How the whole house is, in figures and in one sentence: what `/api/orchestration` and `plane.health()` answer."""

from typing import Any

import msgspec

from .cadence import Summary
from .errors import LedgerError
from .ledger.committer import Counters
from .ledger.opening import Opened
from .ledger.witness import Witness
from .memory.rules import Quality
from .review.service import Status as ReviewStatus
from .router.health import HealthSummary
from .router.state import RouterState
from .router.stats import Stats

# Without live data nobody can call the house healthy.
MOST_UNLESS_LIVE = 69
# Results with tokens or cost, and with a decision to trace them to, that make the data live.
LIVE_SHARE = 0.95


class Signal(msgspec.Struct, frozen=True):
    """One thing that costs health: how many points, and why."""

    name: str
    points: int
    why: str


class Score(msgspec.Struct, frozen=True):
    score: int
    level: str
    sentence: str
    signals: tuple[Signal, ...]


class Fidelity(msgspec.Struct, frozen=True):
    level: str
    reason: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    position: int
    fidelity: Fidelity
    health: Score
    decisions: int
    results: int
    traceability: float | None
    loops: int
    tokens: dict[str, float | None]
    strategy_health: HealthSummary
    cooled: list[dict[str, Any]]
    tail_penalties: dict[str, float]
    replay_parity: float | None
    retrieval_quality: dict[str, Any]
    review: dict[str, Any]
    rejected_records: dict[str, int]
    commit_retries: int
    backlog: int
    polls: dict[str, int]
    gaps: tuple[str, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that health is judged by, looked at in one moment."""

    version: str
    position: int
    state: RouterState
    stats: Stats
    review: ReviewStatus
    quality: Quality
    counters: Counters
    backlog: int
    rejected: dict[str, int]
    polls: Summary
    witness: Witness


def health_of(seen: Seen) -> Health:
    fidelity = fidelity_of(seen.state)
    gaps = tuple(_gaps(seen))
    return Health(
        version=seen.version,
        position=seen.position,
        fidelity=fidelity,
        health=score_of(seen, fidelity),
        decisions=seen.stats.decisions,
        results=seen.stats.results,
        traceability=seen.state.traced / seen.stats.results if seen.stats.results else None,
        loops=0,
        tokens=token_percentiles(seen.state),
        strategy_health=seen.stats.strategy_health,
        cooled=msgspec.to_builtins(seen.stats.cooled),
        tail_penalties=seen.stats.tail_penalties,
        replay_parity=seen.stats.replay_parity,
        retrieval_quality=msgspec.to_builtins(seen.quality),
        review=msgspec.to_builtins(seen.review),
        rejected_records=seen.rejected,
        commit_retries=seen.counters.retries,
        backlog=seen.backlog,
        polls={"overlaps": seen.polls.overlaps, "missed": seen.polls.missed},
        gaps=gaps,
    )


def fidelity_of(state: RouterState) -> Fidelity:
    """Live: nearly all results carry tokens or cost and belong to a decision. Degraded: some do. Demo: none."""
    results = state.results
    if not results:
        return Fidelity("demo", "no result was recorded yet")
    priced, traced = state.priced / results, state.traced / results
    said = f"{priced:.0%} of {results:,} results tell tokens or cost, {traced:.0%} belong to a decision"
    if priced >= LIVE_SHARE and traced >= LIVE_SHARE:
        return Fidelity("live", said)
    return Fidelity("degraded" if state.priced or state.traced else "demo", said)


def token_percentiles(state: RouterState) -> dict[str, float | None]:
    """Tokens of a result (in and out together), from buckets that are at most a tenth wide."""
    counts = sorted(state.token_buckets.items())
    total = sum(count for _, count in counts)
    found: dict[str, float | None] = {"p50": None, "p95": None, "p99": None}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        reached = 0
        for bucket, count in counts:
            reached += count
            if reached >= share * total:
                found[name] = float(round(1.1**bucket))
                break
    return found


def score_of(seen: Seen, fidelity: Fidelity) -> Score:
    signals = tuple(_signals(seen))
    score = max(0, 100 - sum(signal.points for signal in signals))
    if fidelity.level != "live":
        score = min(score, MOST_UNLESS_LIVE)
    level = "healthy" if score >= 90 else "watch" if score >= 70 else "degraded" if score >= 40 else "unhealthy"
    return Score(score, level, _sentence(seen, fidelity, level, signals), signals)


def _signals(seen: Seen) -> list[Signal]:
    found = []
    cooled, arms = len(seen.stats.cooled), max(1, len(seen.state.arms))
    if cooled:
        names = ", ".join(one.name for one in seen.stats.cooled[:3])
        found.append(Signal("breakers", min(30, 5 + 30 * cooled // arms), f"{cooled} cooled: {names}"))
    if seen.stats.tail_penalties:
        names = ", ".join(sorted(seen.stats.tail_penalties)[:3])
        found.append(Signal("tails", 5, f"slow tails: {names}"))
    if seen.stats.strategy_health.active_bypass:
        found.append(Signal("strategies", 10, f"{seen.stats.strategy_health.active_bypass} strategies are passed over"))
    if seen.stats.replay_parity is not None and seen.stats.replay_parity < 1.0:
        found.append(Signal("replay", 20, f"only {seen.stats.replay_parity:.2%} of the decisions replay as recorded"))
    if seen.counters.failing_for:
        found.append(Signal("ledger", 40, f"commits fail: {seen.counters.last_fault or 'no reason was given'}"))
    if seen.witness.refused is not None:
        found.append(Signal("witness", 40, f"the witness saw another history: {seen.witness.fault}"))
    elif seen.witness.fault:
        found.append(Signal("witness", 10, f"the witness cannot be written: {seen.witness.fault}"))
    if seen.review.alerting and not seen.review.slo.met:
        found.append(Signal("review", 5, "the review queue is older than its target"))
    if seen.quality.level in ("fail", "warning"):
        points = 10 if seen.quality.level == "fail" else 5
        found.append(Signal("retrieval", points, f"retrieval quality: {seen.quality.level}"))
    return found


def _gaps(seen: Seen) -> list[str]:
    """What nobody has measured yet, so that silence is not taken for health."""
    gaps = []
    if seen.stats.replay_parity is None:
        gaps.append("replay parity was never measured: run `control-plane replay`")
    if seen.quality.level == "unknown":
        gaps.append("retrieval quality was never measured: run `control-plane memory evaluate`")
    if not seen.stats.results:
        gaps.append("no result was recorded: advice cannot learn")
    return gaps


def _sentence(seen: Seen, fidelity: Fidelity, level: str, signals: tuple[Signal, ...]) -> str:
    done = f"{seen.stats.decisions:,} decisions and {seen.stats.results:,} results, all signed"
    if signals:
        worst = max(signals, key=lambda signal: signal.points)
        return f"{level.capitalize()}. {done}; {worst.why}."
    if fidelity.level != "live":
        return f"{level.capitalize()}. {done}; the data is {fidelity.level}: {fidelity.reason}."
    return f"{level.capitalize()}. {done}; nothing is cooled, slow or waiting too long."


def unready(opened: Opened, counters: Counters) -> str:
    """Why nothing should be asked of an open ledger now; empty when all is well."""
    try:
        opened.check_in_use()
    except LedgerError as fault:
        return f"the ledger cannot be used: {fault}"
    return f"commits fail: {counters.last_fault}" if counters.failing_for else ""

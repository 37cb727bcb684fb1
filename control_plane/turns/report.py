"""What a stretch of time cost, how well it went where that is known, and what auto would have spent.

The estimate is post-stratified: a turn that was advised model m for tasks of type t is expected to cost what turns of
type t that really went to m cost on the average. A turn counts for it with weight advised(t, m) / seen(t, m).
"""

import math
from collections.abc import Iterable

import msgspec

from ..ledger.events import Event
from .caution import bounds
from .events import HistoryImported, StepTaken, TurnBegun, TurnJudged, TurnMoved, Usage
from .state import BAD, GOOD, REVERTED

Z = 1.959963984540054
# Below this the figure of what auto would have spent is not shown as one.
LEAST_SIZE, LEAST_COVER = 20.0, 0.8
GENERAL = "general"


class Row(msgspec.Struct):
    """One turn: what was advised, what was done, what it took."""

    task_type: str = GENERAL
    used: str = ""
    advised: str | None = None
    picked: str = "default"
    moved: bool = False
    steps: int = 0
    cost: float = 0.0
    requests: int = 0
    latency_ms: float = 0.0
    verdict: str | None = None


class ByModel(msgspec.Struct):
    model: str
    turns: int = 0
    cost_usd: float = 0.0
    requests: int = 0
    won: int = 0
    lost: int = 0


class WouldHave(msgspec.Struct, frozen=True):
    """What auto would have spent on the turns that it had no say in, beside what these cost."""

    turns: int
    covered: int
    spent_usd: float
    auto_usd: float
    low_usd: float
    high_usd: float
    effective: float
    enough: bool


class Report(msgspec.Struct, frozen=True):
    since: float
    until: float
    turns: int
    auto_turns: int
    imported_turns: int
    moved: int
    spent_usd: float
    requests: int
    known: int
    won: int
    reverted: int
    success: float | None
    success_low: float | None
    success_high: float | None
    models: tuple[ByModel, ...]
    auto: WouldHave


def report(events: Iterable[Event], since: float, until: float) -> Report:
    """From the log's own events; the latest word on a turn counts, and no answer is counted twice."""
    rows, seen, past = dict[str, Row](), set[str](), list[HistoryImported]()
    for event in events:
        if isinstance(event, HistoryImported):
            past.append(event)
        else:
            _take(rows, seen, event, since, until)
    imported = _take_past(rows, seen, past, since, until)
    used = [row for row in rows.values() if row.steps]
    known = [row for row in used if row.verdict in (GOOD, BAD)]
    won = sum(row.verdict == GOOD for row in known)
    low, high = _interval(won, len(known))
    return Report(
        since=since,
        until=until,
        turns=len(used),
        auto_turns=sum(row.picked == "auto" for row in used),
        imported_turns=imported,
        moved=sum(row.moved for row in used),
        spent_usd=math.fsum(row.cost for row in used),
        requests=sum(row.requests for row in used),
        known=len(known),
        won=won,
        reverted=sum(row.verdict == REVERTED for row in used),
        success=won / len(known) if known else None,
        success_low=low,
        success_high=high,
        models=_by_model(used),
        auto=would_have(used),
    )


def _take_past(rows: dict[str, Row], seen: set[str], past: list[HistoryImported], since: float, until: float) -> int:
    """Add what was answered before the plugin came; how many turns are known from there only."""
    imported = set[str]()
    for step in (step for lot in past for step in lot.steps):
        if since <= step.at < until and step.message not in seen:
            seen.add(step.message)
            row = rows.setdefault(step.turn or step.message, Row())
            if not row.steps and not row.used:
                imported.add(step.turn or step.message)
            row.used = row.used or step.model
            _add(row, step.usage)
    return len(imported)


def would_have(rows: list[Row]) -> WouldHave:
    asked = [row for row in rows if row.advised is not None and row.picked != "auto"]
    wanted, found = dict[tuple[str, str], int](), dict[tuple[str, str], list[float]]()
    for row in asked:
        cell = (row.task_type, row.advised or "")
        wanted[cell] = wanted.get(cell, 0) + 1
    for row in rows:
        if not row.moved:
            found.setdefault((row.task_type, row.used), []).append(row.cost)
    total = spread = weights = squares = 0.0
    covered = 0
    for cell, count in wanted.items():
        costs = found.get(cell, [])
        if len(costs) < 2:
            continue
        mean = math.fsum(costs) / len(costs)
        variance = math.fsum((cost - mean) ** 2 for cost in costs) / (len(costs) - 1)
        total += count * mean
        spread += count * count * variance / len(costs)
        weights += count
        squares += count * count / len(costs)
        covered += count
    spent = math.fsum(
        row.cost for row in asked if len(found.get((row.task_type, row.advised or ""), [])) >= 2
    )  # fmt: skip
    effective = weights * weights / squares if squares else 0.0
    enough = bool(asked) and covered >= LEAST_COVER * len(asked) and effective >= LEAST_SIZE
    reach = Z * math.sqrt(spread)
    return WouldHave(len(asked), covered, spent, total, max(0.0, total - reach), total + reach, effective, enough)


def _take(rows: dict[str, Row], seen: set[str], event: Event, since: float, until: float) -> None:
    match event:
        case TurnBegun() if since <= event.at < until:
            row = rows.setdefault(event.turn, Row())
            row.task_type, row.used, row.picked = event.task_type, event.used, event.picked
            row.advised = event.advised if event.advised_decision is not None else None
        case StepTaken() if since <= event.at < until and event.message not in seen:
            seen.add(event.message)
            row = rows.setdefault(event.turn, Row(used=event.model))
            row.used = event.model
            _add(row, event.usage)
        case TurnMoved() if event.to is not None and event.turn in rows:
            rows[event.turn].moved = True
        case TurnJudged() if event.turn in rows and event.at < until:
            rows[event.turn].verdict = event.verdict
        case _:
            pass


def _add(row: Row, usage: Usage) -> None:
    row.steps += 1
    row.cost += usage.cost_usd
    row.requests += usage.quota
    row.latency_ms += usage.latency_ms


def _interval(won: int, known: int) -> tuple[float | None, float | None]:
    """Both bounds at 95 %, one-sided each."""
    return bounds(won, known - won) if known else (None, None)


def _by_model(rows: list[Row]) -> tuple[ByModel, ...]:
    found = dict[str, ByModel]()
    for row in rows:
        one = found.setdefault(row.used, ByModel(row.used))
        one.turns += 1
        one.cost_usd += row.cost
        one.requests += row.requests
        one.won += row.verdict == GOOD
        one.lost += row.verdict == BAD
    return tuple(sorted(found.values(), key=lambda one: (-one.cost_usd, one.model)))

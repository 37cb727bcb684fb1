"""`bridge review`: how fast work went, against the time before; what was escalated; what people said of it."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..ledger.events import Event
from .events import (
    CallRefused,
    FeedbackGiven,
    MessagePosted,
    ThreadCreated,
    ThreadStatusChanged,
    WakeDelivered,
    WakeDied,
    WakeQueued,
)
from .state import event_type, finding_of
from .terms import VERDICTS, Status


def look_back(events: Iterable[Event], since: float, now: float) -> dict[str, Any]:
    """The time since then, beside as much of the time before as the log has."""
    after, before = _Period(since, now), _Period(0.0, since)
    for event in events:
        after.take(event)
        before.take(event)
    found = after.told()
    return {"since": since, "until": now, "now": found, "baseline": before.told(), "backlog": _backlog(found)}


class _Period:
    """Counts what fell into one stretch of time; what began before it may end in it."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin, self._end = begin, end
        self._begun: dict[str, float] = {}
        self._found: dict[tuple[str, str], float] = {}
        self._asked: dict[str, float] = {}
        self._spans: dict[str, list[float]] = {"thread": [], "finding": [], "wake": []}
        self._counts = {name: Counter[str]() for name in ("escalations", "dead_letters", "refused", "feedback")}
        self._notes: list[str] = []
        self._messages = 0

    def take(self, event: Event) -> None:
        match event:
            case ThreadCreated():
                self._begun[event.thread] = event.at
            case MessagePosted():
                self._take_message(event)
            case WakeQueued():
                self._asked[event.job] = event.at
            case _ if self._begin <= event.at < self._end:
                self._take_inside(event)

    def _take_message(self, event: MessagePosted) -> None:
        inside = self._begin <= event.at < self._end
        self._messages += inside
        kind, finding = event_type(event), (event.thread, finding_of(event))
        if kind == "finding_reported":
            self._found.setdefault(finding, event.at)
        elif kind in VERDICTS and (at := self._found.pop(finding, None)) is not None and inside:
            self._spans["finding"].append(event.at - at)

    def _take_inside(self, event: Event) -> None:
        match event:
            case ThreadStatusChanged(status=Status.BLOCKED):
                self._counts["escalations"][event.guard or "by hand"] += 1
            case ThreadStatusChanged(status=Status.RESOLVED | Status.CLOSED) if event.thread in self._begun:
                self._spans["thread"].append(event.at - self._begun.pop(event.thread))
            case WakeDelivered() if event.job in self._asked:
                self._spans["wake"].append(event.at - self._asked.pop(event.job))
            case WakeDied():
                self._counts["dead_letters"][event.reason] += 1
            case CallRefused():
                self._counts["refused"][event.code] += event.count
            case FeedbackGiven():
                self._counts["feedback"][event.verdict] += 1
                self._notes += [event.note] if event.note else []

    def told(self) -> dict[str, Any]:
        right, wrong = (self._counts["feedback"][word] for word in ("true-positive", "false-positive"))
        return {
            "messages": self._messages,
            **{f"{name}_cycle_s": _spread(spans) for name, spans in self._spans.items()},
            **{name: dict(counts) for name, counts in self._counts.items()},
            "false_positive_share": wrong / (right + wrong) if right + wrong else None,
            "notes": self._notes[-20:],
        }


def _spread(spans: list[float]) -> dict[str, float | int | None]:
    ordered = sorted(spans)
    if not ordered:
        return {"count": 0, "p50": None, "p95": None}
    last = len(ordered) - 1
    return {"count": len(ordered), "p50": ordered[last // 2], "p95": ordered[min(last, int(0.95 * len(ordered)))]}


def _backlog(period: dict[str, Any]) -> list[dict[str, Any]]:
    """What cost most often, first."""
    kinds = ("dead_letters", "escalations", "refused")
    costs = [
        {"what": f"{kind.replace('_', ' ')}: {name}", "count": count}
        for kind in kinds
        for name, count in period[kind].items()
    ]
    if period["feedback"].get("false-positive"):
        costs.append({"what": "blocks that were wrong", "count": period["feedback"]["false-positive"]})
    if period["feedback"].get("hindered"):
        costs.append({"what": "autonomy that hindered", "count": period["feedback"]["hindered"]})
    return sorted(costs, key=lambda cost: (-cost["count"], cost["what"]))

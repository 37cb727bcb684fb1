"""The queue as it stands: a fold of its events. What was resolved is remembered for five weeks."""

import msgspec

from ..learning.events import GamingSuspected
from ..ledger.events import Event
from .events import AgeAlertCleared, AgeAlertRaised, Feedback, FeedbackGiven, ItemQueued, ItemResolved, Verdict
from .events import WeekReported as Reported

HOUR, DAY = 3600.0, 86400.0
WEEK = 7 * DAY
REMEMBERED = 5 * WEEK


class Waiting(msgspec.Struct, frozen=True):
    """`version` counts the events of the item's own stream: none where another room's fact made it wait."""

    kind: str
    evidence: str
    since: float
    version: int = 1


class Resolved(msgspec.Struct):
    """`version` counts the events of the item's own stream, which is how two writers notice each other."""

    kind: str
    evidence: str
    since: float
    at: float
    verdict: Verdict
    actor: str
    feedback: Feedback | None
    note: str
    version: int


class Queue(msgspec.Struct):
    waiting: dict[str, Waiting] = {}
    resolved: dict[str, Resolved] = {}
    counts: dict[str, int] = {}
    alerted: bool = False
    # How many events the stream of the watch has: alerts and weekly reports.
    watched: int = 0
    reported_until: float = 0.0


def fold(queue: Queue, event: Event) -> None:
    match event:
        case ItemQueued():
            queue.waiting[event.item] = Waiting(event.kind, event.evidence, event.at)
        case GamingSuspected(verdict="review"):
            signs = ", ".join(event.signs)
            queue.waiting[suspicion(event)] = Waiting("learning", f"key {event.key_id}: {signs}", event.at, version=0)
        case ItemResolved():
            _resolve(queue, event)
        case FeedbackGiven():
            if (known := queue.resolved.get(event.item)) is not None:
                known.feedback = event.feedback
                known.version += 1
        case AgeAlertRaised() | AgeAlertCleared():
            queue.alerted = isinstance(event, AgeAlertRaised)
            queue.watched += 1
        case Reported():
            queue.reported_until = event.end
            queue.watched += 1


def suspicion(event: GamingSuspected) -> str:
    """The name under which a suspicion waits for somebody to look."""
    return f"gaming-{event.key_id[:12]}-{event.at:.3f}"


def _resolve(queue: Queue, event: ItemResolved) -> None:
    item = queue.waiting.pop(event.item)
    queue.resolved[event.item] = Resolved(
        item.kind,
        item.evidence,
        item.since,
        event.at,
        event.verdict,
        event.actor,
        event.feedback,
        event.note,
        item.version + 1,
    )
    queue.counts[event.verdict] = queue.counts.get(event.verdict, 0) + 1
    # In the order of the log, which is nearly that of time: looking at the oldest is enough.
    while queue.resolved[oldest := next(iter(queue.resolved))].at < event.at - REMEMBERED:
        del queue.resolved[oldest]

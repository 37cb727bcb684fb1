"""The rules of the queue: state, command and `now` go in, events come out or a coded refusal."""

from ..errors import BadInput, Conflict
from ..ledger.events import Event
from ..redacting import without_secrets
from .ages import Slo, age_slo
from .events import AgeAlertCleared, AgeAlertRaised, Feedback, FeedbackGiven, ItemQueued, ItemResolved, Verdict
from .events import WeekReported as Reported
from .state import WEEK, Queue
from .weekly import tallies, week_of

LONGEST_NAME, LONGEST_EVIDENCE = 100, 1000


class AlreadyQueued(Conflict):
    """An item is queued once for ever."""

    code = "review.already-queued"


class AlreadyResolved(Conflict):
    """Somebody else decided it first."""

    code = "review.already-resolved"


class NotWaiting(BadInput):
    """No such item waits."""

    code = "review.not-waiting"


class BadItem(BadInput):
    """An item without a kind or without evidence."""

    code = "review.bad-item"


def queue_item(queue: Queue, item: str, kind: str, evidence: str, now: float) -> list[Event]:
    _check_text("item", item, LONGEST_NAME)
    _check_text("kind", kind, LONGEST_NAME)
    _check_text("evidence", evidence, LONGEST_EVIDENCE, empty=True)
    if item in queue.waiting or item in queue.resolved:
        raise already_queued(item)
    return [ItemQueued(item=item, kind=kind, evidence=evidence, at=now)]


def resolve_item(
    queue: Queue, item: str, verdict: Verdict, feedback: Feedback | None, actor: str, note: str, now: float
) -> list[Event]:
    _check_text("actor", actor, LONGEST_NAME)
    _check_text("note", note, LONGEST_EVIDENCE, empty=True)
    if (done := queue.resolved.get(item)) is not None:
        raise AlreadyResolved(
            f"{item} was resolved before", why=f"{done.actor} said {done.verdict}", cure="what was decided stands"
        )
    if item not in queue.waiting:
        raise NotWaiting(f"{item} does not wait for a review", cure="see `control-plane review list`")
    # A clock that went back must not make an item leave before it came.
    at = max(now, queue.waiting[item].since)
    return [ItemResolved(item=item, verdict=verdict, feedback=feedback, actor=actor, note=without_secrets(note), at=at)]


def give_feedback(queue: Queue, item: str, feedback: Feedback, actor: str, now: float) -> list[Event]:
    _check_text("actor", actor, LONGEST_NAME)
    known = queue.resolved.get(item)
    if known is None:
        raise NotWaiting(f"{item} was not resolved in the last weeks", cure="feedback follows a resolution")
    return [] if known.feedback is feedback else [FeedbackGiven(item=item, feedback=feedback, actor=actor, at=now)]


def watch_ages(queue: Queue, target_hours: float, now: float) -> list[Event]:
    """One alert for each time that the queue grows too old, not one for each look."""
    slo: Slo = age_slo(queue, target_hours, now)
    if slo.met is not queue.alerted:
        return []
    kind = AgeAlertCleared if slo.met else AgeAlertRaised
    return [kind(p95_hours=slo.p95_hours, target_hours=target_hours, pending=len(queue.waiting), at=now)]


def report_week(queue: Queue, now: float) -> list[Event]:
    """The last whole week, once; a queue that never had anything has nothing to report."""
    end, _ = week_of(now)
    if queue.reported_until >= end or not (queue.waiting or queue.resolved):
        return []
    return [Reported(begin=end - WEEK, end=end, tallies=tallies(queue, end - WEEK, end), at=now)]


def already_queued(item: str) -> AlreadyQueued:
    return AlreadyQueued(f"{item} is or was in the queue", cure="queue it under another name")


def _check_text(field: str, text: str, longest: int, *, empty: bool = False) -> None:
    if not empty and not text.strip():
        raise BadItem(f"the {field} of a review is empty", cure="name it")
    if len(text) > longest:
        raise BadItem(f"the {field} of a review is {len(text):,} characters long", why=f"the limit is {longest:,}")
    if not text.isprintable():
        raise BadItem(f"the {field} of a review holds control characters", cure="a single line of plain text")

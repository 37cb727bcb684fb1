"""What can happen to the review queue. Evidence is a reference that a reviewer can follow, never the thing itself."""

from enum import StrEnum
from typing import ClassVar

import msgspec

from ..ledger.events import Event


class Verdict(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"


class Feedback(StrEnum):
    """How the rule that asked for a person did, as the person sees it."""

    TRUE_POSITIVE = "true-positive"
    FALSE_POSITIVE = "false-positive"
    FALSE_NEGATIVE = "false-negative"


class Tally(msgspec.Struct, frozen=True):
    """What one kind of item did in one week."""

    kind: str
    queued: int = 0
    approved: int = 0
    rejected: int = 0
    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    unjudged: int = 0


class ItemQueued(Event, frozen=True, kw_only=True):
    """Something waits for a person."""

    TOPIC: ClassVar[str] = "review.item-queued"
    item: str
    kind: str
    evidence: str


class ItemResolved(Event, frozen=True, kw_only=True):
    """A person decided, and may have said how the rule did that asked."""

    TOPIC: ClassVar[str] = "review.item-resolved"
    item: str
    verdict: Verdict
    actor: str
    feedback: Feedback | None = None
    note: str = ""


class FeedbackGiven(Event, frozen=True, kw_only=True):
    """Afterwards somebody said, or said differently, how the rule did; the verdict stands."""

    TOPIC: ClassVar[str] = "review.feedback-given"
    item: str
    feedback: Feedback
    actor: str


class AgeAlertRaised(Event, frozen=True, kw_only=True):
    """The p95 age of what waits passed the target; said once for each time that it does."""

    TOPIC: ClassVar[str] = "review.age-alert-raised"
    p95_hours: float
    target_hours: float
    pending: int


class AgeAlertCleared(Event, frozen=True, kw_only=True):
    """The p95 age of what waits is within the target again."""

    TOPIC: ClassVar[str] = "review.age-alert-cleared"
    p95_hours: float
    target_hours: float
    pending: int


class WeekReported(Event, frozen=True, kw_only=True):
    """What a whole week, from Monday to Monday in UTC, said about the rules that ask for reviews."""

    TOPIC: ClassVar[str] = "review.week-reported"
    begin: float
    end: float
    tallies: tuple[Tally, ...]


EVENTS = (ItemQueued, ItemResolved, FeedbackGiven, AgeAlertRaised, AgeAlertCleared, WeekReported)

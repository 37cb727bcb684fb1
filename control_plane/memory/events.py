"""What can happen to the memory. An item's text is what somebody asked to keep: the log holds it for good."""

from typing import ClassVar, Literal

from ..ledger.events import Event

Level = Literal["pass", "warning", "fail"]


class ItemRemembered(Event, frozen=True, kw_only=True):
    """Somebody asked to keep this text; its id follows from kind and text."""

    TOPIC: ClassVar[str] = "memory.item-remembered"
    item: str
    kind: str
    text: str
    tags: tuple[str, ...] = ()
    source: str = ""


class ItemForgotten(Event, frozen=True, kw_only=True):
    """It is not found any more; the log still has it."""

    TOPIC: ClassVar[str] = "memory.item-forgotten"
    item: str
    reason: str = ""


class QualityMeasured(Event, frozen=True, kw_only=True):
    """How well a retriever found what it should have found; `benchmark` is the hash of the set that it was put to."""

    TOPIC: ClassVar[str] = "memory.quality-measured"
    benchmark: str
    own: bool
    retriever: str
    k: int
    queries: int
    items: int
    map_at_k: float
    grounded_recall: float
    hit_rate: float
    live_items: int
    live_hit_rate: float | None
    level: Level


class QualityAlertRaised(Event, frozen=True, kw_only=True):
    """Retrieval became worse than it was: below what passes, or below what is only a warning."""

    TOPIC: ClassVar[str] = "memory.quality-alert-raised"
    level: Level
    before: Level
    map_at_k: float
    grounded_recall: float
    live_hit_rate: float | None


class QualityAlertCleared(Event, frozen=True, kw_only=True):
    """Retrieval passes again."""

    TOPIC: ClassVar[str] = "memory.quality-alert-cleared"
    before: Level


EVENTS = (ItemRemembered, ItemForgotten, QualityMeasured, QualityAlertRaised, QualityAlertCleared)

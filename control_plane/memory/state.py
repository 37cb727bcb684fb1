"""What the memory knows of itself: which items there are, and how retrieval did. The texts are in the index."""

import msgspec

from ..ledger.events import Event
from .events import ItemForgotten, ItemRemembered, Level, QualityAlertCleared, QualityAlertRaised, QualityMeasured

KEPT = 100


class Measured(msgspec.Struct, frozen=True):
    at: float
    retriever: str
    map_at_k: float
    grounded_recall: float
    hit_rate: float
    live_hit_rate: float | None
    level: Level


class MemoryState(msgspec.Struct):
    """`measured` = the latest measurements of the built-in benchmark; `version` = events of the quality stream."""

    items: dict[str, float] = {}
    changes: int = 0
    measured: list[Measured] = []
    version: int = 0


def fold(memory: MemoryState, event: Event) -> None:
    match event:
        case ItemRemembered():
            memory.items[event.item] = event.at
            memory.changes += 1
        case ItemForgotten():
            memory.items.pop(event.item, None)
            memory.changes += 1
        case QualityMeasured():
            memory.version += 1
            if not event.own:
                memory.measured.append(_measured(event))
                del memory.measured[:-KEPT]
                memory.changes = 0
        case QualityAlertRaised() | QualityAlertCleared():
            memory.version += 1


def _measured(event: QualityMeasured) -> Measured:
    return Measured(
        event.at,
        event.retriever,
        event.map_at_k,
        event.grounded_recall,
        event.hit_rate,
        event.live_hit_rate,
        event.level,
    )

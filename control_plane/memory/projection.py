"""The memory's fold, and what its text index holds."""

from collections.abc import Iterable

from ..ledger.events import Event
from ..projections.folding import Projection
from ..projections.search import Drop, Put
from .events import EVENTS, ItemForgotten, ItemRemembered
from .state import MemoryState, fold

MEMORY = Projection("memory", 1, MemoryState, fold, EVENTS)
INDEXED = (ItemRemembered, ItemForgotten)


def changes(event: Event) -> Iterable[Put | Drop]:
    match event:
        case ItemRemembered():
            return (Put(event.item, event.text, event.tags, event.kind, event.at),)
        case ItemForgotten():
            return (Drop(event.item),)
    return ()

"""The newest evidence of each item: a fold of what was recorded."""

import msgspec

from ..ledger.events import Event
from .events import EvidenceRecorded, Result


class Recorded(msgspec.Struct, frozen=True):
    result: Result
    digest: str
    measured_at: float
    recorded_at: float
    file: str
    key: str


class Book(msgspec.Struct):
    """`version` counts what was recorded, so that two who record at once do not both go by the same book."""

    newest: dict[str, Recorded] = {}
    version: int = 0


def fold(book: Book, event: Event) -> None:
    match event:
        case EvidenceRecorded():
            book.version += 1
            known = book.newest.get(event.item)
            if known is None or known.measured_at <= event.measured_at:
                book.newest[event.item] = Recorded(
                    event.result, event.digest, event.measured_at, event.at, event.file, event.key
                )

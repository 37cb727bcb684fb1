"""The events behind a number: read backwards through the log, by topic and by one field."""

from typing import Final

import msgspec

from ..errors import BadInput
from ..ledger.backend import Row
from ..ledger.ledger import Ledger

# Events that one look reads through; beyond that it says where to go on.
FARTHEST: Final = 20_000
CHUNK: Final = 2_000
MOST: Final = 200


class Found(msgspec.Struct, frozen=True):
    position: int
    stream: str
    version: int
    topic: str
    fact: msgspec.Raw


class Page(msgspec.Struct, frozen=True):
    """Newest first; `before` is where the next page goes on, None at the end of what was asked for."""

    events: tuple[Found, ...]
    before: int | None
    looked_at: int


class Filter(msgspec.Struct, frozen=True):
    """`topics` are beginnings of topics, any of which will do; `field` must hold `value`, given as text."""

    topics: tuple[str, ...] = ()
    field: str = ""
    value: str = ""
    since: int = 1

    def fits(self, row: Row) -> bool:
        if self.topics and not row.topic.startswith(self.topics):
            return False
        if not self.field:
            return True
        held = msgspec.json.decode(row.state).get(self.field)
        return held is not None and self.value in (
            [str(one) for one in held] if isinstance(held, list) else [str(held)]
        )


def browse(ledger: Ledger, wanted: Filter, before: int | None = None, limit: int = 50) -> Page:
    if not 1 <= limit <= MOST:
        raise BadInput(f"a page of {limit} events", why=f"it holds 1 to {MOST}")
    end = ledger.size() if before is None else min(before - 1, ledger.size())
    start, found = end, list[Found]()
    least = max(wanted.since, 1)
    while end >= least and start - end < FARTHEST:
        after = max(least - 1, end - CHUNK)
        for row in map(Row._make, reversed(ledger.rows(after, end - after))):
            if wanted.fits(row):
                found.append(shown(row))
            end = row.position - 1
            if len(found) == limit:
                return Page(tuple(found), end + 1 if end >= least else None, start - end)
        end = after
    return Page(tuple(found), end + 1 if end >= least else None, start - end)


def shown(row: Row) -> Found:
    return Found(row.position, row.stream, row.version, row.topic, msgspec.Raw(bytes(row.state)))

"""Any backend as evidence, through the port by which everybody reads it."""

import contextlib
from collections.abc import Iterator
from typing import Any

from .backend import Backend, Row
from .evidence import RawRow, raw_hash
from .merkle import HASH
from .notes import MalformedNote, Note

_CHUNK = 4096
_LOWEST = -(1 << 63)


class BackendEvidence:
    """The tree as of one moment, and the rows up to there."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._moment = contextlib.ExitStack()
        self._tree = self._moment.enter_context(backend.tree())

    def notes(self) -> list[tuple[Any, Any]]:
        text = self._tree.last_note()
        if text is None:
            return []
        try:
            return [(Note.parse(text).checkpoint().size, text)]
        except MalformedNote:
            return [(self._backend.size(), text)]

    def tile(self, level: int, number: int) -> bytes:
        return self._tree.tile(level, number)

    def tile_sizes(self) -> None:
        return None

    def hashes(self, first: int, last: int) -> list[bytes] | None:
        found = self.found(first, last)
        hashes = [found.get(position) or b"" for position in range(first, last + 1)]
        return hashes if all(len(leaf) == HASH for leaf in hashes) else None

    def found(self, first: int, last: int) -> dict[int, bytes | None]:
        rows = self._backend.rows(first - 1, last - first + 1)
        return {row[0]: raw_hash(_raw(row)) for row in rows if row[0] <= last}

    def lowest(self) -> int | None:
        return self.beyond(_LOWEST)

    def beyond(self, position: int) -> int | None:
        rows = self._backend.rows(position, 1)
        return rows[0][0] if rows else None

    def everything(self) -> Iterator[RawRow]:
        after = _LOWEST
        while rows := self._backend.rows(after, _CHUNK):
            yield from map(_raw, rows)
            after = rows[-1][0]

    def own_rows(self) -> list[RawRow]:
        return list(map(_raw, self._backend.own_rows()))

    def count(self) -> int:
        return sum(1 for _ in self.everything())

    def disorder(self) -> list[str]:
        return []  # a server looks after its own files

    def archive_faults(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        self._moment.close()


def _raw(row: Row) -> RawRow:
    position, stream, version, topic, state = row
    return RawRow(position, stream.encode(), version, topic.encode(), bytes(state))

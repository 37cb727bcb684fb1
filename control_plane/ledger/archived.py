"""Which events have left the table for the archive, and the way back to them.

`archives` says up to which position; `archived_runs` which versions of which stream they were, so that none of them
can be stored again. The ledger's own events stay in the table as well.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from eventsourcing.persistence import IntegrityError

from ..errors import LedgerDamaged
from .backend import Row
from .bundles import read_archived
from .leaf import read_leaf
from .merkle import TILE_WIDTH

TABLES = (
    "CREATE TABLE IF NOT EXISTS archives (through INTEGER PRIMARY KEY, root TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS archived_runs (stream TEXT, first_version INTEGER, last_version INTEGER NOT NULL, "
    "first_position INTEGER NOT NULL, PRIMARY KEY (stream, first_version)) WITHOUT ROWID",
)
_RUN = (
    "SELECT first_version, last_version, first_position FROM archived_runs "
    "WHERE stream = ? AND first_version <= ? ORDER BY first_version DESC LIMIT 1"
)
_NEWEST = (1 << 63) - 1


class Cursor(Protocol):
    """What the library's cursors and those of the standard library have in common."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> Any: ...
    def fetchone(self) -> Any: ...


class Run(NamedTuple):
    """Consecutive versions of one stream at consecutive positions."""

    stream: str
    first_version: int
    last_version: int
    first_position: int


def runs_of(rows: Iterable[Row]) -> list[Run]:
    runs: list[Run] = []
    for position, stream, version, _, _ in rows:
        last = runs[-1] if runs else None
        if (
            last is not None
            and (last.stream, last.last_version + 1) == (stream, version)
            and position - last.first_position == version - last.first_version
        ):
            runs[-1] = last._replace(last_version=version)
        else:
            runs.append(Run(stream, version, version, position))
    return runs


class Retired(NamedTuple):
    """The events that leave the table: the last position, the root of the tree that ends there, what they were."""

    through: int
    root: str
    runs: list[Run]


def retire(cursor: Cursor, moved: Retired) -> None:
    """Let go of the rows, inside the transaction that says so in the log."""
    cursor.executemany("INSERT INTO archived_runs VALUES (?, ?, ?, ?)", moved.runs)
    cursor.execute("INSERT INTO archives VALUES (?, ?)", (moved.through, moved.root))
    cursor.execute(
        "DELETE FROM stored_events WHERE rowid <= ? AND NOT (topic >= 'ledger.' AND topic < 'ledger/')",
        (moved.through,),
    )


def refuse_archived(cursor: Cursor, spans: Iterable[tuple[str, int, int]]) -> None:
    """What was stored once is stored, wherever it lies now; a span is a stream and its first and last version."""
    cursor.execute("SELECT 1 FROM archives LIMIT 1")
    if cursor.fetchone() is None:
        return
    for stream, first, last in spans:
        cursor.execute(_RUN, (stream, last))
        run = cursor.fetchone()
        if run is not None and run[1] >= first:
            raise IntegrityError(f"version {min(run[1], last)} of {stream} is in the archive")


class ArchivedRows:
    """The archive as the continuation of the table to the left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: tuple[int, list[bytes]] = (-1, [])

    def through(self, reader: sqlite3.Connection) -> int:
        return reader.execute("SELECT MAX(through) FROM archives").fetchone()[0] or 0

    def stored_upto(self, reader: sqlite3.Connection, stream: str) -> int:
        run = reader.execute(_RUN, (stream, _NEWEST)).fetchone()
        return run[1] if run else 0

    def row_of(self, reader: sqlite3.Connection, stream: str, version: int) -> Row | None:
        run = reader.execute(_RUN, (stream, version)).fetchone()
        if run is None or run[1] < version:
            return None
        row = self.rows(run[2] + version - run[0], 1)[0]
        if (row.stream, row.version) != (stream, version):
            raise LedgerDamaged(
                f"the archive holds another event at position {row.position}", cure="run `control-plane ledger verify`"
            )
        return row

    def rows(self, first: int, count: int) -> list[Row]:
        """Events from position `first` on, all of them archived."""
        rows: list[Row] = []
        while len(rows) < count:
            number, offset = divmod(first + len(rows) - 1, TILE_WIDTH)
            start = number * TILE_WIDTH + 1
            leaves = self._bundle(number)[offset : offset + count - len(rows)]
            rows += [_row(position, leaf) for position, leaf in enumerate(leaves, start + offset)]
        return rows

    def _bundle(self, number: int) -> list[bytes]:
        # Whoever reads on from the middle of a bundle unpacks it once.
        if self._last[0] != number:
            self._last = (number, read_archived(self._folder, number))
        return self._last[1]


def _row(position: int, leaf: bytes) -> Row:
    try:
        return Row(position, *read_leaf(leaf))
    except (ValueError, IndexError) as fault:
        raise LedgerDamaged(
            f"the archived event at position {position} cannot be read",
            why=str(fault),
            cure="run `control-plane ledger verify`",
        ) from None

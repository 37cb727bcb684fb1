"""Signed recorders for SQLite, on the plug points of `eventsourcing`."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor, SQLiteProcessRecorder

from ..errors import LedgerDamaged
from . import archived
from .facts import KeysChanged
from .leaf import leaf_bytes
from .merkle import Tile, leaf_hash
from .sealing import KEPT_EVERY, Authority, Head, Sealer, leaf_tails, tail_hashes
from .sqlite_writes import DurableSQLiteDatastore

APPLICATION_ID = 0x43504C47  # "CPLG"
SCHEMA = 1

_TABLES = (
    # A column named rowid is the row's id itself: positions are given, never reused, and survive VACUUM.
    "CREATE TABLE IF NOT EXISTS {table} (rowid INTEGER PRIMARY KEY, originator_id TEXT NOT NULL, "
    "originator_version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL, "
    "UNIQUE (originator_id, originator_version))",
    # The few events about keys and archives are found without a scan.
    "CREATE INDEX IF NOT EXISTS {table}_of_the_ledger ON {table} (topic) "
    "WHERE topic >= 'ledger.' AND topic < 'ledger/'",
    "CREATE TABLE IF NOT EXISTS tiles (level INTEGER, number INTEGER, hashes BLOB NOT NULL, "
    "PRIMARY KEY (level, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    *archived.TABLES,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA}",
)
# One statement a batch: row by row, a committer that shares the interpreter with a busy host starves.
# Each value packs offset << 32 | length of the topic << 24 | length of the state.
_INSERT_RUN = (
    "INSERT INTO {table} SELECT ?1 + key, ?2, ?3 + key, "
    "CAST(substr(?4, (value >> 32) + 1, (value >> 24) & 255) AS TEXT), "
    "substr(?4, (value >> 32) + ((value >> 24) & 255) + 1, value & 16777215) FROM json_each(?5)"
)


class SignedSQLiteDatastore(DurableSQLiteDatastore):
    def __init__(self, db_name: str, *, authority: Authority, **options: Any) -> None:
        super().__init__(db_name, **options)
        self.sealer = Sealer(authority)


class SignedSQLiteApplicationRecorder(SQLiteApplicationRecorder):
    """Stores what the library gives it, and signs it in the same transaction."""

    datastore: SignedSQLiteDatastore

    def construct_create_table_statements(self) -> list[str]:
        return [statement.format(table=self.events_table_name) for statement in _TABLES]

    def insert_run(
        self,
        stream: str,
        first_version: int,
        topics: Sequence[str],
        states: Sequence[bytes],
        *,
        beside: Callable[[SQLiteCursor], None] | None = None,
    ) -> int:
        """Store consecutive versions of one stream in one statement; the position of the first.

        What `beside` does happens in the same transaction.
        """
        tails = leaf_tails(topics, states)
        hashes, packed, layout = tail_hashes(stream, first_version, tails), b"".join(tails), _layout(topics, tails)
        with self.datastore.transaction(commit=True) as cursor:
            store, head = self._end(cursor)
            archived.refuse_archived(cursor, [(stream, first_version, first_version + len(states) - 1)])
            first = head.frontier.size + 1
            cursor.execute(
                _INSERT_RUN.format(table=self.events_table_name), (first, stream, first_version, packed, layout)
            )
            self.datastore.sealer.seal(store, head, hashes)
            if beside is not None:
                beside(cursor)
        return first

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        store, head = self._end(c)
        rows, hashes = [], []
        for position, event in enumerate(stored_events, head.frontier.size + 1):
            stream = event.originator_id.hex if isinstance(event.originator_id, UUID) else event.originator_id
            rows.append((position, stream, event.originator_version, event.topic, event.state))
            hashes.append(leaf_hash(leaf_bytes(stream, event.originator_version, event.topic, event.state)))
        if rows:
            archived.refuse_archived(c, [(row[1], row[2], row[2]) for row in rows])
            c.executemany(f"INSERT INTO {self.events_table_name} VALUES (?, ?, ?, ?, ?)", rows)
            self.datastore.sealer.seal(store, head, hashes)
        return [row[0] for row in rows]

    def _end(self, cursor: SQLiteCursor) -> "tuple[SQLiteTree, Head]":
        """Inside the write lock, look where the log ends: at the signed head, or it was tampered with."""
        store = SQLiteTree(cursor, self.events_table_name)
        head = self.datastore.sealer.head(store)
        end = self._max_notification_id(cursor) or 0
        if end != head.frontier.size:
            raise LedgerDamaged(
                f"the log ends at position {end}, its signed checkpoint at {head.frontier.size}",
                cure="run `control-plane ledger verify`",
            )
        return store, head


class SignedSQLiteProcessRecorder(SQLiteProcessRecorder, SignedSQLiteApplicationRecorder):
    """Signed events and tracking in one transaction."""


class SQLiteTree:
    """The tree's tables, seen from inside one transaction."""

    def __init__(self, cursor: SQLiteCursor | sqlite3.Cursor, table: str = "stored_events") -> None:
        self._cursor, self._table = cursor, table

    def last_note(self) -> str | None:
        self._cursor.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1")
        row = self._cursor.fetchone()
        return row[0] if row else None

    def tile(self, level: int, index: int) -> bytes:
        self._cursor.execute("SELECT hashes FROM tiles WHERE level = ? AND number = ?", (level, index))
        row = self._cursor.fetchone()
        return row[0] if row else b""

    def keys_changed(self) -> int:
        # The first two terms are those of the partial index, word for word: without them it would be a scan.
        self._cursor.execute(
            f"SELECT MAX(rowid) FROM {self._table} WHERE topic >= 'ledger.' AND topic < 'ledger/' AND topic = ?",
            (KeysChanged.TOPIC,),
        )
        found: int | None = self._cursor.fetchone()[0]
        return found or 0

    def put(self, tiles: list[Tile], size: int, note: str) -> None:
        places = ", ".join(["(?, ?, ?)"] * len(tiles))
        self._cursor.execute(f"INSERT OR REPLACE INTO tiles VALUES {places}", list(chain.from_iterable(tiles)))
        block = (size - 1) // KEPT_EVERY * KEPT_EVERY
        self._cursor.execute("DELETE FROM checkpoints WHERE size > ? AND size < ?", (block, size))
        self._cursor.execute("INSERT INTO checkpoints VALUES (?, ?)", (size, note))


def _layout(topics: Sequence[str], tails: Sequence[bytes]) -> str:
    """Where in the joined tails each topic and state lies, as `_INSERT_RUN` reads it."""
    # The first two bytes of a tail are the length of its topic.
    names = {topic: (2 << 32) + (len(topic.encode()) << 24) - len(topic.encode()) - 2 for topic in set(topics)}
    sizes = list(map(len, tails))
    starts = accumulate(sizes, initial=0)
    layout = [(start << 32) + size + names[topic] for start, size, topic in zip(starts, sizes, topics, strict=False)]
    return msgspec.json.encode(layout).decode()

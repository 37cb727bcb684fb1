"""Signed recorders for PostgreSQL, on the plug points of `eventsourcing`."""

import secrets
from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresProcessRecorder
from eventsourcing.utils import retry, strtobool
from psycopg import Cursor
from psycopg.sql import Identifier, Literal

from ..errors import KeyMissing, LedgerDamaged, SettingsError
from .postgres_tables import PostgresTree, Tables
from .sealing import Authority, Head, Sealer, run_hashes
from .stored import stored_leaf_hash

# Two creators at once: the second waits here, and then finds the tables.
_CREATE_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('control-plane tables', 0))"
# In one round trip; the lock keeps the order of commits the order of positions. Who wrote it need not be told.
_LOCK = "SET LOCAL lock_timeout = {timeout}; LOCK TABLE {events} IN EXCLUSIVE MODE; NOTIFY {channel}, {voice}"
# Arrays in binary: twice as fast as text, and as fast as COPY.
_INSERT_RUN = (
    "INSERT INTO {events} SELECT %s::bigint + n, %s::text, %s::bigint + n, topic, state "
    "FROM unnest(%b::text[], %b::bytea[]) WITH ORDINALITY AS run (topic, state, n)"
)
_INSERT_EVENTS = (
    "INSERT INTO {events} SELECT %s::bigint + n, id, version, topic, state "
    "FROM unnest(%s::{id_type}[], %b::bigint[], %b::text[], %b::bytea[]) "
    "WITH ORDINALITY AS batch (id, version, topic, state, n)"
)


class SignedPostgresApplicationRecorder(PostgresApplicationRecorder):
    """Stores what the library gives it, and signs it in the same transaction."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "stored_events") -> None:
        if datastore.enable_db_functions:
            refuse_db_functions("yes")
        self.check_identifier_length(f"{events_table_name}_checkpoints")
        super().__init__(datastore, events_table_name=events_table_name)
        self.tables = Tables(datastore.schema, events_table_name)
        self.channel_name = self.tables.channel
        # Only what other recorders of the same object add is left to the library.
        self.sql_create_statements.clear()
        timeout = Literal(f"{datastore.lock_timeout}s")
        self.voice = secrets.token_hex(8)
        self._lock_statement = self.tables.sql(_LOCK, timeout=timeout, voice=Literal(self.voice))
        self._insert_statement = self.tables.sql(_INSERT_EVENTS, id_type=Identifier(datastore.originator_id_type))
        self._sealer: Sealer | None = None

    def sign_with(self, authority: Authority) -> None:
        self._sealer = Sealer(authority)

    def insert_run(self, stream: str, first_version: int, topics: Sequence[str], states: Sequence[bytes]) -> int:
        """Store consecutive versions of one stream in one statement; the position of the first."""
        hashes = run_hashes(stream, first_version, topics, states)
        with self.datastore.transaction(commit=True) as cursor:
            sealer, store, head = self._lock(cursor)
            size = head.frontier.size
            run = (size, stream, first_version - 1, list(topics), list(states))
            cursor.execute(self.tables.sql(_INSERT_RUN), run)
            sealer.seal(store, head, hashes)
        return size + 1

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """One plain transaction: the lock first, then what a process recorder tracks, then the events."""
        with self.datastore.transaction(commit=True) as cursor:
            if not stored_events:
                self._insert_events(cursor, stored_events, **kwargs)
                return None
            sealer, store, head = self._lock(cursor)
            self._insert_events(cursor, stored_events, **kwargs)
            size = head.frontier.size
            columns = zip(
                *((e.originator_id, e.originator_version, e.topic, e.state) for e in stored_events), strict=True
            )
            cursor.execute(self._insert_statement, (size, *map(list, columns)))
            sealer.seal(store, head, [stored_leaf_hash(event) for event in stored_events])
        return list(range(size + 1, size + 1 + len(stored_events)))

    def _create_table(self, curs: Cursor[Any]) -> None:
        curs.execute(_CREATE_ALONE)
        if not self.tables.found(curs):
            self.tables.create(curs, self.datastore.originator_id_type)
        super()._create_table(curs)

    def _lock(self, cursor: Cursor[Any]) -> tuple[Sealer, PostgresTree, Head]:
        """Take the table's lock, then look where the log ends: at the signed head, or it was tampered with."""
        if self._sealer is None:
            raise KeyMissing("this recorder was given no key to sign with")
        cursor.execute(self._lock_statement, prepare=False)
        store = PostgresTree(cursor, self.tables)
        head = self._sealer.head(store)
        if store.end().size != head.frontier.size:
            raise LedgerDamaged(
                f"the log ends at position {store.end().size}, its signed checkpoint at {head.frontier.size}",
                cure="run `control-plane ledger verify`",
            )
        return self._sealer, store, head


class SignedPostgresProcessRecorder(PostgresProcessRecorder, SignedPostgresApplicationRecorder):
    """Signed events and tracking in one transaction."""


def refuse_db_functions(setting: str | None) -> None:
    """The library's database functions take no lock and drop tracking silently: a reader would miss events."""
    try:
        wanted = strtobool(setting or "no")
    except ValueError:
        wanted = True
    if wanted:
        raise SettingsError(
            f"POSTGRES_ENABLE_DB_FUNCTIONS is {setting!r}",
            why="the database functions of `eventsourcing` take no lock, so that readers miss committed events",
            cure="unset POSTGRES_ENABLE_DB_FUNCTIONS",
        )

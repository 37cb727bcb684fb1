"""The ledger in PostgreSQL: many processes on many hosts share one log."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from eventsourcing.persistence import PersistenceError
from eventsourcing.postgres import PostgresDatastore
from psycopg import Connection, Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from ..errors import ForeignHome, Forked, LedgerUnavailable
from .backend import Row
from .postgres import SignedPostgresApplicationRecorder, refuse_db_functions
from .postgres_address import PostgresAddress
from .postgres_listening import Listener
from .postgres_tables import PostgresTree, Tables
from .sealing import Authority, TreeStore

LOCK_TIMEOUT = 15
CONNECT_TIMEOUT = 5
# One that writes, and a few for whoever reads at the same time; the one that listens is not among them.
CONNECTIONS = 6
_COLUMNS = "SELECT notification_id, originator_id, originator_version, topic, state FROM {events}"
_ROWS = f"{_COLUMNS} WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
_ROW_OF = f"{_COLUMNS} WHERE originator_id = %s AND originator_version = %s"
_OWN_ROWS = f"{_COLUMNS} WHERE left(topic, 7) = 'ledger.' ORDER BY notification_id"
_STORED_UPTO = "SELECT max(originator_version) FROM {events} WHERE originator_id = %s"
_SIZE = "SELECT max(notification_id) FROM {events}"


class PostgresBackend:
    def __init__(self, address: PostgresAddress, authority: Authority, *, create: bool = False) -> None:
        refuse_db_functions(os.environ.get("POSTGRES_ENABLE_DB_FUNCTIONS"))
        self._address, self._tables = address, Tables(address.schema)
        self._process = os.getpid()
        self._datastore = _datastore(address)
        with contextlib.ExitStack() as undo:
            undo.callback(self._datastore.close)
            # Before the pool, because it says at once why a server cannot be reached.
            self._listener = Listener(self._connect, self._tables.channel)
            undo.callback(self._listener.close)
            with self._in_our_words():
                self._recorder = SignedPostgresApplicationRecorder(self._datastore)
                if create:
                    self._recorder.create_table()
                self._check_found()
            self._listener.ignore(self._recorder.voice)
            self.use(authority)
            undo.pop_all()

    def insert(self, stream: str, first_version: int, topics: list[str], states: list[bytes]) -> int:
        self._check_process()
        return self._recorder.insert_run(stream, first_version, topics, states)

    def stored_upto(self, stream: str) -> int:
        return self._number(_STORED_UPTO, stream)

    def rows(self, after: int, limit: int) -> list[Row]:
        return self._rows(_ROWS, after, limit)

    def row_of(self, stream: str, version: int) -> Row | None:
        found = self._rows(_ROW_OF, stream, version)
        return found[0] if found else None

    def own_rows(self) -> list[Row]:
        return self._rows(_OWN_ROWS)

    def size(self) -> int:
        return self._number(_SIZE)

    @contextlib.contextmanager
    def tree(self) -> Iterator[TreeStore]:
        with self._reading() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresTree(cursor, self._tables)

    def changed(self) -> bool:
        self._check_process()
        return self._listener.heard()

    def check_place(self) -> None:
        """A server says so itself when its database is gone."""

    def wait_for_change(self, timeout: float) -> bool:
        """`changed`, but sleep until another process commits or the time is up; for one waiting thread."""
        self._check_process()
        return self._listener.wait(timeout)

    def end_waits(self) -> None:
        self._listener.end_waits()

    def use(self, authority: Authority) -> None:
        self._recorder.sign_with(authority)

    def close(self) -> None:
        self._listener.close()
        self._datastore.close()

    def _number(self, statement: str, *values: object) -> int:
        with self._reading() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(self._tables.sql(statement), values).fetchone()
            return row[0] or 0 if row else 0

    def _rows(self, statement: str, *values: object) -> list[Row]:
        with self._reading() as connection, connection.cursor(row_factory=_as_row, binary=True) as cursor:
            return cursor.execute(self._tables.sql(statement), values, prepare=True).fetchall()

    def _check_found(self) -> None:
        with self._datastore.cursor() as cursor:
            if not self._tables.found(cursor):
                raise ForeignHome(
                    f"{self._address.label} holds no ledger",
                    cure="restore it from a backup; its keys and witness are still here",
                )

    @contextlib.contextmanager
    def _reading(self) -> "Iterator[Connection[Any]]":
        self._check_process()
        with self._in_our_words(), self._datastore.get_connection() as connection:
            yield connection

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (PersistenceError, psycopg.Error) as fault:
            raise self._unavailable(fault, "try again; nothing was lost") from fault

    def _connect(self) -> "Connection[Any]":
        try:
            return psycopg.connect(self._address.url, autocommit=True, connect_timeout=CONNECT_TIMEOUT)
        except psycopg.Error as fault:
            raise self._unavailable(fault, "check the address, and that the server runs") from None

    def _unavailable(self, fault: Exception, cure: str) -> LedgerUnavailable:
        return LedgerUnavailable(f"{self._address.label} cannot be used", why=" ".join(str(fault).split()), cure=cure)

    def _check_process(self) -> None:
        # A child shares the sockets of its parent: two who talk on one connection ruin it for both.
        if os.getpid() != self._process:
            raise Forked(
                "this ledger was opened before the process forked", cure="open a control plane in this process"
            )


def _as_row(_: "Cursor[Any]") -> "Callable[[Sequence[Any]], Row]":
    return Row._make


def _datastore(address: PostgresAddress) -> PostgresDatastore:
    parameters: dict[str, Any] = dict(conninfo_to_dict(address.url))
    dbname, host, port, user, password = (
        str(parameters.pop(name, None) or "") for name in ("dbname", "host", "port", "user", "password")
    )
    datastore = PostgresDatastore(
        dbname,
        host,
        port,
        user,
        password,
        schema=address.schema,
        originator_id_type="text",
        lock_timeout=LOCK_TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
        pool_size=1,
        max_overflow=CONNECTIONS - 1,
        pre_ping=True,
    )
    assert isinstance(datastore.pool.kwargs, dict)
    # What the library has no argument for: TLS, options, a name for the session. What the address leaves out is not
    # empty but left to PGPASSWORD and the like.
    given = {**datastore.pool.kwargs, **parameters, "connect_timeout": CONNECT_TIMEOUT}
    datastore.pool.kwargs = {name: value for name, value in given.items() if value != ""}
    return datastore

"""Write transactions that no fault leaves behind: neither open on their connection, nor holding the writers' lock."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from eventsourcing.persistence import OperationalError
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

from .turnstile import turn


class DurableSQLiteDatastore(SQLiteDatastore):
    """`synchronous=FULL`, the write lock from the first statement on, one writer of this process at a time."""

    def __init__(self, db_name: str, **options: Any) -> None:
        super().__init__(db_name, **options)
        self._patience: float = options.get("lock_timeout") or 5
        self._writing = threading.Lock()
        self.pool = _FullSyncPool(db_name=db_name, lock_timeout=options.get("lock_timeout"))

    @contextlib.contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        with self.get_connection(commit=commit) as connection:
            begun = _WriteTransaction(connection, commit=True) if commit else SQLiteTransaction(connection)
            with begun as cursor, cursor:
                yield cursor

    @contextlib.contextmanager
    def get_connection(self, *, commit: bool) -> Iterator[SQLiteConnection]:
        # The pool's own writers' lock stays taken for ever when a new connection cannot be made.
        if not commit or self.pool.is_sqlite_memory_mode:
            with super().get_connection(commit=commit) as connection:
                yield connection
            return
        if not self._writing.acquire(timeout=self._patience):
            raise OperationalError("another thread of this process is writing")
        try:
            connection = self.pool.get_connection()
            try:
                yield connection
            finally:
                self.pool.put_connection(connection)
        finally:
            self._writing.release()


class _FullSyncPool(SQLiteConnectionPool):
    """`synchronous=FULL` whatever this SQLite was built with; the log is checkpointed in larger steps."""

    def _create_connection(self) -> SQLiteConnection:
        try:
            connection = super()._create_connection()
            cursor = connection.cursor()
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA wal_autocheckpoint=4000")
        except sqlite3.Error as fault:
            raise OperationalError(fault) from fault
        return connection


class _WriteTransaction(SQLiteTransaction):
    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        try:
            cursor.execute("PRAGMA database_list")
            with turn(cursor.fetchone()[2]):
                # A transaction that reads first cannot wait for the lock, it fails.
                cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as fault:
            raise OperationalError(fault) from fault
        return cursor

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, fault, trace)
        finally:
            self._end()

    def _end(self) -> None:
        # A commit that failed may have left it open, and the pool would hand the connection on like that.
        try:
            self.connection.rollback()
        except sqlite3.Error:
            self.connection.close()

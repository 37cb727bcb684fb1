"""The ledger in one SQLite file."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from eventsourcing.persistence import OperationalError, PersistenceError
from eventsourcing.sqlite import SQLiteCursor

from ..errors import (
    ANOTHER_HOME,
    ControlPlaneError,
    ForeignHome,
    HomeReadOnly,
    LedgerDamaged,
    LedgerUnavailable,
    NewerHome,
)
from . import archived
from .archived import ArchivedRows, Retired
from .backend import Row
from .place import Place
from .refusals import RETRY, cure_of, missing_right, with_log
from .sealing import Authority, Sealer, TreeStore
from .sqlite import APPLICATION_ID, SCHEMA, SignedSQLiteApplicationRecorder, SignedSQLiteDatastore, SQLiteTree

LOCK_TIMEOUT = 15
# What SQLite says of a damaged file may quote it, and that is no text.
FAULTS = (sqlite3.Error, UnicodeDecodeError)
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_COLUMNS = "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
_AFTER = f"{_COLUMNS} WHERE rowid > ? ORDER BY rowid LIMIT ?"
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _reading(
    read: "Callable[Concatenate[SQLiteBackend, sqlite3.Connection, _P], _T]",
) -> "Callable[Concatenate[SQLiteBackend, _P], _T]":
    """Run on the one reading connection, and say what is wrong in our own words."""

    def wrapped(self: "SQLiteBackend", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with self._read_lock:
            try:
                return read(self, self._reader, *args, **kwargs)
            except FAULTS as fault:
                raise unavailable(self._path, fault) from fault

    return wrapped


class SQLiteBackend:
    def __init__(self, path: Path, authority: Authority, *, create: bool = False) -> None:
        self._path = path
        if not create:
            check_schema(path)
        # Text ids: streams have names that people read.
        self._datastore = SignedSQLiteDatastore(
            _uri(path, "rwc" if create else "rw"),
            authority=authority,
            lock_timeout=LOCK_TIMEOUT,
            originator_id_type="text",
        )
        self._recorder = SignedSQLiteApplicationRecorder(self._datastore)
        if create:
            self._recorder.create_table()
        # Before anything is read: what takes its place meanwhile is noticed.
        self._place = Place(path)
        self._archived = ArchivedRows(path.with_name("archive"))
        self._reader = _connect(path)
        self._read_lock = threading.RLock()
        self._data_version = -1

    def insert(self, stream: str, first_version: int, topics: list[str], states: list[bytes]) -> int:
        # As late as can be: what was stored by a commit that is refused would look like a commit in doubt.
        with self._in_place():
            return self._recorder.insert_run(
                stream, first_version, topics, states, beside=lambda _: self._place.check()
            )

    @_reading
    def stored_upto(self, reader: sqlite3.Connection, stream: str) -> int:
        found = reader.execute("SELECT MAX(originator_version) FROM stored_events WHERE originator_id = ?", (stream,))
        return found.fetchone()[0] or self._archived.stored_upto(reader, stream)

    @_reading
    def rows(self, reader: sqlite3.Connection, after: int, limit: int) -> list[Row]:
        found = reader.execute(_AFTER, (after, limit)).fetchall()
        if not found or found[-1][0] == after + len(found):
            return found
        # Where the table has gaps, the archive may have the rest.
        after, through = max(after, 0), self._archived.through(reader)
        if through <= after:
            return found
        rows = self._archived.rows(after + 1, min(limit, through - after))
        return rows + reader.execute(_AFTER, (through, limit - len(rows))).fetchall()

    @_reading
    def row_of(self, reader: sqlite3.Connection, stream: str, version: int) -> Row | None:
        found = reader.execute(f"{_COLUMNS} WHERE originator_id = ? AND originator_version = ?", (stream, version))
        row = found.fetchone()
        return Row(*row) if row else self._archived.row_of(reader, stream, version)

    @_reading
    def own_rows(self, reader: sqlite3.Connection) -> list[Row]:
        found = reader.execute(f"{_COLUMNS} WHERE topic >= 'ledger.' AND topic < 'ledger/' ORDER BY rowid")
        return [Row(*row) for row in found]

    @_reading
    def size(self, reader: sqlite3.Connection) -> int:
        return reader.execute("SELECT MAX(rowid) FROM stored_events").fetchone()[0] or 0

    @_reading
    def archived_through(self, reader: sqlite3.Connection) -> int:
        """Up to which position events have left the database."""
        return self._archived.through(reader)

    @_reading
    def live_bytes(self, reader: sqlite3.Connection) -> int:
        """What the database would weigh without its free pages."""
        pages, free, width = (
            reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * width)

    def retire(self, moved: Retired, stream: str, version: int, topic: str, state: bytes) -> int:
        """Let go of rows that the archive holds, and say so in the log: both or neither."""

        def beside(cursor: SQLiteCursor) -> None:
            archived.retire(cursor, moved)
            self._place.check()

        with self._in_place():
            return self._recorder.insert_run(stream, version, [topic], [state], beside=beside)

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[None]:
        """Whatever else a file says that took the place of ours, that comes first."""
        try:
            yield
        except (PersistenceError, ControlPlaneError) as fault:
            self._place.check()
            if isinstance(fault, OperationalError) and "readonly" in str(fault):
                raise unavailable(self._path, fault) from fault
            raise

    def compact(self) -> bool:
        """Give free pages back to the disk; False when others are too busy with the database."""
        try:
            with contextlib.closing(sqlite3.connect(_uri(self._path), uri=True, timeout=LOCK_TIMEOUT)) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            return False
        return True

    @contextlib.contextmanager
    def tree(self) -> Iterator[TreeStore]:
        with self._read_lock:
            self._reader.execute("BEGIN")
            try:
                yield SQLiteTree(self._reader.cursor())
            except FAULTS as fault:
                raise unavailable(self._path, fault) from fault
            finally:
                self._reader.rollback()

    @_reading
    def changed(self, reader: sqlite3.Connection) -> bool:
        before, self._data_version = self._data_version, reader.execute("PRAGMA data_version").fetchone()[0]
        return before != self._data_version

    def check_place(self) -> None:
        self._place.check()

    def use(self, authority: Authority) -> None:
        self._datastore.sealer = Sealer(authority)

    def close(self) -> None:
        self._datastore.close()
        with self._read_lock:
            self._reader.close()


def check_schema(path: Path) -> None:
    """Refuse what is not ours before anything is written to it."""
    if not path.exists():
        raise ForeignHome(f"{path} is missing", cure="restore it from a backup; its keys and witness are still here")
    try:
        with contextlib.closing(sqlite3.connect(_uri(path, "ro"), uri=True)) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.OperationalError as fault:
        raise unavailable(path, fault) from None
    except FAULTS as fault:
        raise LedgerDamaged(f"{path} cannot be read", why=str(fault), cure="restore a backup") from None
    if not path.stat().st_size:
        raise LedgerDamaged(f"{path} is empty", why="the log was in it", cure="restore a backup")
    if application != APPLICATION_ID:
        raise ForeignHome(f"{path} was not made by a control plane", cure=ANOTHER_HOME)
    if schema > SCHEMA:
        raise NewerHome(f"{path} has schema {schema}, this program knows {SCHEMA}", cure="use a newer version")


def unavailable(path: Path, fault: Exception) -> LedgerUnavailable | LedgerDamaged | HomeReadOnly:
    if isinstance(fault, UnicodeDecodeError) or getattr(fault, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return LedgerDamaged(f"{path} is damaged", why=str(fault), cure="run `control-plane ledger verify`")
    # Even a reader of a write-ahead log makes files beside it.
    if "readonly" in str(fault) or not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return HomeReadOnly(f"{path} cannot be written", why=str(fault), cure=missing_right(*with_log(path)))
    return LedgerUnavailable(f"{path} cannot be used", why=str(fault), cure=cure_of(fault, path) or RETRY)


def _uri(path: Path, mode: str = "rw") -> str:
    """The database's name for SQLite: in a plain `file:` name a `?`, `#` or `%` would name another file.

    Only who makes a home makes the file: an empty one in the place of one that is gone would hide that.
    """
    return f"{path.absolute().as_uri()}?mode={mode}"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        _uri(path), uri=True, isolation_level=None, check_same_thread=False, timeout=LOCK_TIMEOUT
    )
    connection.execute("PRAGMA query_only = 1")
    return connection

"""`PERSISTENCE_MODULE=control_plane.persistence.sqlite`: as the library's SQLite module, and every event signed.

The key lies in `SIGNING_KEY`, by default beside the database file; an in-memory database has one of its own.
Snapshots are not signed: they can be made again from the events.
"""

# By module, not by name: the library takes whatever factory class it finds in here, and wants exactly one.
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from eventsourcing import sqlite as stock
from eventsourcing.utils import Environment, EnvType

from ..errors import ForeignHome
from ..ledger.flock import lock
from ..ledger.sealing import Authority, TreeStore
from ..ledger.sqlite import (
    APPLICATION_ID,
    SignedSQLiteApplicationRecorder,
    SignedSQLiteDatastore,
    SignedSQLiteProcessRecorder,
    SQLiteTree,
)
from ..ledger.sqlite_backend import unavailable
from . import factory
from .signing import ephemeral_authority, file_authority, key_file


class SignedSQLiteFactory(factory.SignedFactory[stock.SQLiteTrackingRecorder], stock.SQLiteFactory):
    application_recorder_class = SignedSQLiteApplicationRecorder
    process_recorder_class = SignedSQLiteProcessRecorder
    datastore: SignedSQLiteDatastore

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        plain = self.datastore
        name, timeout = plain.pool.db_name, plain.pool.lock_timeout
        if plain.pool.is_sqlite_memory_mode:
            authority = ephemeral_authority(self.env, "stored_events")
        else:
            database = _path_of(name)
            beside = key_file(self.env, database.with_name(f"{database.name}.key"))
            authority = file_authority(self.env, beside, "stored_events", begun=_begun(database))
            _use_write_ahead_log(database, beside)
        self.datastore = SignedSQLiteDatastore(
            name,
            authority=authority,
            lock_timeout=timeout,
            single_row_tracking=plain.single_row_tracking,
            originator_id_type=plain.originator_id_type,
        )

    def authority(self) -> Authority:
        return self.datastore.sealer.authority

    @contextlib.contextmanager
    def tree(self) -> Iterator[TreeStore]:
        with self.datastore.transaction(commit=False) as cursor:
            yield SQLiteTree(cursor)


def _path_of(name: str) -> Path:
    return Path(unquote(urlsplit(name).path)) if name.startswith("file:") else Path(name)


def _use_write_ahead_log(database: Path, key: Path) -> None:
    """One process after the other: two that switch a new file at once find it locked, and do not wait."""
    handle = os.open(key, os.O_RDONLY)
    try:
        lock(handle)
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as fault:
        raise unavailable(database, fault) from None
    finally:
        os.close(handle)


def _begun(database: Path) -> bool:
    """Whether a signed log is there already; raises when an unsigned one is."""
    if not database.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            # As of one moment: another process may be making the tables just now.
            connection.execute("BEGIN")
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            signed = "checkpoints" in tables and connection.execute("SELECT 1 FROM checkpoints").fetchone()
    except sqlite3.OperationalError as fault:
        raise unavailable(database, fault) from None
    except sqlite3.DatabaseError as fault:
        raise ForeignHome(f"{database} is not a database that can be read", why=str(fault)) from None
    if application != APPLICATION_ID and "stored_events" in tables:
        raise ForeignHome(
            f"{database} holds events that were not signed",
            cure="name another SQLITE_DBNAME, and copy the old events into it through the application",
        )
    return bool(signed)

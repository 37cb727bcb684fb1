"""A ledger's file and its archive as evidence."""

import contextlib
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..errors import ForeignHome, LedgerDamaged
from .archive_lists import list_faults, said_in_log
from .bundles import read_archived, salvage
from .evidence import RawRow, raw_hash
from .leaf import FORMAT
from .merkle import TILE_WIDTH, leaf_hash
from .refusals import refusal, with_log

# What SQLite says of a damaged file may quote it, and that is no text.
FAULTS = (sqlite3.Error, UnicodeDecodeError)
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}
_COLUMNS = "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
_RANGE = f"{_COLUMNS} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
_ODD = (
    "typeof(rowid) <> 'integer' OR typeof(originator_id) <> 'text' OR typeof(originator_version) <> 'integer' "
    "OR typeof(topic) <> 'text' OR typeof(state) <> 'blob'"
)
_STRANGE = f"SELECT 1 FROM stored_events WHERE rowid BETWEEN ? AND ? AND ({_ODD}) LIMIT 1"
_ONE = f"SELECT originator_id, originator_version, topic, state, {_ODD} FROM stored_events WHERE rowid = ?"
_OWN = f"{_COLUMNS} NOT INDEXED WHERE topic >= 'ledger.' AND topic < 'ledger/' ORDER BY rowid"
_RUNS = "SELECT first_position, stream, first_version, last_version FROM archived_runs ORDER BY first_position"
_CHUNK = 4096
_POSITION = itemgetter(0)


class Unreadable(Exception):
    """This part of the database cannot be read; what that means is for the auditor to say."""


class Absent(Unreadable):
    """The table, or a column of it, is not there."""


class _Streams(dict[bytes, bytes]):
    """How a leaf of each stream begins, built once."""

    def __missing__(self, stream: bytes) -> bytes:
        if len(self) > _CHUNK:
            self.clear()
        start = self[stream] = b"\x00" + FORMAT + len(stream).to_bytes(2) + stream
        return start


class _Topics(dict[bytes, bytes]):
    def __missing__(self, topic: bytes) -> bytes:
        if len(self) > _CHUNK:
            self.clear()
        part = self[topic] = len(topic).to_bytes(2) + topic
        return part


def _from_leaf(position: int, leaf: bytes) -> RawRow:
    stream = 3 + int.from_bytes(leaf[1:3])
    topic = stream + 10 + int.from_bytes(leaf[stream + 8 : stream + 10])
    version = int.from_bytes(leaf[stream : stream + 8])
    return RawRow(position, leaf[3:stream], version, leaf[stream + 10 : topic], leaf[topic:])


def _connect(database: Path) -> sqlite3.Connection:
    address = database.absolute().as_uri()
    # A disk that cannot be written has no room for the files beside a log in use; without those it is at rest.
    ways = ("mode=ro",) if database.with_name(f"{database.name}-wal").exists() else ("mode=ro", "immutable=1")
    for way in ways:
        connection = sqlite3.connect(f"{address}?{way}", uri=True, isolation_level=None, timeout=15)
        # Bytes as they are: text that is not UTF-8 is evidence, too.
        connection.text_factory = bytes
        try:
            # All of it as of one moment, however many commits arrive meanwhile.
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        except FAULTS:
            connection.close()
            if way == ways[-1]:
                raise
        else:
            break
    return connection


class SQLiteEvidence:
    """A ledger's file and its archive, opened for reading only."""

    def __init__(self, database: Path, archive: Path) -> None:
        self._path, self._archive = database, archive
        self._streams, self._topics = _Streams(), _Topics()
        if not database.is_file():
            raise ForeignHome(f"{database} is missing", cure="restore it from a backup")
        try:
            self._connection = _connect(database)
        except FAULTS as fault:
            self._refuse_locked(fault)
            raise LedgerDamaged(f"{database} cannot be read", why=str(fault), cure="restore a backup") from None

    def notes(self) -> list[tuple[Any, Any]]:
        try:
            return self._ask("SELECT size, note FROM checkpoints ORDER BY size")
        except Unreadable:
            return []

    def tile(self, level: int, number: int) -> bytes:
        try:
            rows = self._ask("SELECT hashes FROM tiles WHERE level = ? AND number = ?", level, number)
        except Unreadable:
            return b""
        return rows[0][0] if rows and isinstance(rows[0][0], bytes) else b""

    def tile_sizes(self) -> dict[tuple[int, int], int]:
        try:
            tiles = self._ask("SELECT level, number, length(hashes) FROM tiles")
        except Unreadable:
            return {}
        return {(level, number): length for level, number, length in tiles}

    def hashes(self, first: int, last: int) -> list[bytes] | None:
        try:
            rows = self._ask(_RANGE, first, last)
            if len(rows) != last - first + 1:
                return self._partly_archived(rows, first, last)
            if self._ask(_STRANGE, first, last):
                return None
        except (Unreadable, LedgerDamaged):
            return None
        return self._hash(rows, first)

    def found(self, first: int, last: int) -> dict[int, bytes | None]:
        found: dict[int, bytes | None] = {}
        for number in range((first - 1) // TILE_WIDTH, self._archived_tiles((last - 1) // TILE_WIDTH + 1)):
            leaves = salvage(self._archive, number) or ()
            found |= {position: leaf_hash(leaf) for position, leaf in enumerate(leaves, number * TILE_WIDTH + 1)}
        for position in range(first, last + 1):
            try:
                for *row, odd in self._ask(_ONE, position):
                    seen = None if odd else raw_hash(RawRow(position, *row))
                    found[position] = seen if found.get(position, seen) == seen else None
            except Absent:
                break
            except Unreadable:
                found[position] = None
        return {position: seen for position, seen in found.items() if first <= position <= last}

    def lowest(self) -> int | None:
        return self._position("SELECT MIN(rowid) FROM stored_events")

    def beyond(self, position: int) -> int | None:
        return self._position("SELECT MIN(rowid) FROM stored_events WHERE rowid > ?", position)

    def everything(self) -> Iterator[RawRow]:
        for number in range(self._archived_tiles()):
            for position, leaf in enumerate(salvage(self._archive, number) or (), number * TILE_WIDTH + 1):
                yield _from_leaf(position, leaf)
        try:
            cursor = self._connection.execute(f"{_COLUMNS} ORDER BY rowid")
            while rows := cursor.fetchmany(_CHUNK):
                yield from (RawRow(*row) for row in rows)
        except FAULTS:
            return

    def own_rows(self) -> list[RawRow]:
        try:
            return [RawRow(*row) for row in self._ask(_OWN)]
        except Unreadable:
            return []

    def count(self) -> int:
        archived = self._archived_tiles() * TILE_WIDTH
        try:
            return archived + int(
                self._ask("SELECT COUNT(*) FROM stored_events NOT INDEXED WHERE rowid NOT BETWEEN 1 AND ?", archived)[
                    0
                ][0]
            )
        except Unreadable:
            return archived

    def disorder(self) -> list[str]:
        try:
            with contextlib.closing(_connect(self._path)) as connection:
                found = [str(line, errors="replace") for (line,) in connection.execute("PRAGMA integrity_check")]
        except FAULTS as fault:
            self._refuse_locked(fault)
            return [str(fault)]
        return [] if found == ["ok"] else found

    def archive_faults(self) -> Iterator[str]:
        said = said_in_log(self.own_rows())
        try:
            archives = dict(self._ask("SELECT through, root FROM archives"))
            runs = self._ask(_RUNS)
        except Unreadable as fault:
            return iter([f"the list of the archive cannot be read: {fault}"])
        return list_faults(said, archives, runs, self._archive)

    def close(self) -> None:
        self._connection.close()

    def _hash(self, rows: list[Any], first: int) -> list[bytes] | None:
        # Each of them: in a damaged file even ids that are unique lie out of order.
        if list(map(_POSITION, rows)) != list(range(first, first + len(rows))):
            return None
        streams, topics = self._streams, self._topics
        try:
            return [
                sha256(b"".join((streams[stream], version.to_bytes(8), topics[topic], state))).digest()
                for _, stream, version, topic, state in rows
            ]
        except (TypeError, OverflowError, AttributeError):
            return None

    def _partly_archived(self, rows: list[Any], first: int, last: int) -> list[bytes] | None:
        through = min(self._archived_tiles() * TILE_WIDTH, last)
        if through < first or self._ask(_STRANGE, first, last):
            return None
        hashes: list[bytes] = []
        for number in range((first - 1) // TILE_WIDTH, -(-through // TILE_WIDTH)):
            hashes += map(leaf_hash, read_archived(self._archive, number))
        hashes = hashes[: through - first + 1]
        kept = [RawRow(*row) for row in rows if row[0] <= through]
        live = [row for row in rows if row[0] > through]
        if any(raw_hash(row) != hashes[row.position - first] for row in kept):
            return None
        rest = self._hash(live, through + 1) if len(live) == last - through else None
        return None if rest is None else hashes + rest

    def _archived_tiles(self, most: int | None = None) -> int:
        """How many whole tiles of leaves lie in the archive."""
        try:
            through = self._ask("SELECT MAX(through) FROM archives")[0][0]
        except Unreadable:
            return 0
        tiles = through // TILE_WIDTH if isinstance(through, int) else 0
        return tiles if most is None else min(tiles, most)

    def _position(self, question: str, *values: int) -> int | None:
        try:
            found = self._ask(question, *values)[0][0]
        except Unreadable:
            return None
        return found if isinstance(found, int) else None

    def _ask(self, question: str, *values: Any) -> list[Any]:
        try:
            return self._connection.execute(question, values).fetchall()
        except FAULTS as fault:
            self._refuse_locked(fault)
            missing = getattr(fault, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR
            raise (Absent if missing else Unreadable)(str(fault)) from None

    def _refuse_locked(self, fault: Exception) -> None:
        """A database that is in use is no evidence of anything."""
        if getattr(fault, "sqlite_errorcode", 0) & 0xFF in _LOCKED:
            raise refusal(f"{self._path} cannot be read now", fault, *with_log(self._path)) from None

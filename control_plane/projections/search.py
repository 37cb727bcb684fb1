"""A text index beside the log, in SQLite's FTS5 with BM25 ranks: it may be deleted, and is then written again."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..errors import ControlPlaneError, LedgerUnavailable
from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event
from .words import matching, parts

CHUNK = 4096
_LAYOUT = 1
_TABLES = (
    "CREATE TABLE places (place INTEGER PRIMARY KEY, id TEXT UNIQUE, kind TEXT, at REAL)",
    "CREATE VIRTUAL TABLE texts USING fts5 (text, tags, parts, tokenize = 'porter unicode61 remove_diacritics 2')",
)
_FOUND = "SELECT places.id, places.kind, places.at, texts.text, texts.tags"
_JOINED = "FROM texts JOIN places ON places.place = texts.rowid"
# Tags say what a text is about, so they count twice; parts of a name in camel case count half.
_RANK = "bm25(texts, 1.0, 2.0, 0.5)"
# The best are chosen first and read afterwards: a sort that carries every text that matches is many times slower.
_BEST = f"""
SELECT places.place, places.id, {_RANK} AS fits {_JOINED}
WHERE texts MATCH ? AND (? IS NULL OR places.kind = ?) ORDER BY fits, places.id LIMIT ?
"""
_SEARCH = f"""
{_FOUND}, best.fits FROM ({_BEST}) AS best JOIN places ON places.id = best.id JOIN texts ON texts.rowid = best.place
ORDER BY best.fits, best.id
"""


class IndexDamaged(ControlPlaneError):
    """The search index cannot be read; nothing is lost, the log has it all."""

    code = "index.damaged"


class Put(msgspec.Struct, frozen=True):
    """One text, in place of what stood under its id."""

    id: str
    text: str
    tags: tuple[str, ...] = ()
    kind: str = ""
    at: float = 0.0


class Drop(msgspec.Struct, frozen=True):
    id: str


class Found(msgspec.Struct, frozen=True):
    """The better it fits, the higher its score."""

    id: str
    score: float
    kind: str
    at: float
    text: str
    tags: tuple[str, ...]


Changes = Callable[[Event], Iterable[Put | Drop]]


class TextIndex:
    """Its content follows from the facts in `reads`; content and position are written in one transaction."""

    def __init__(
        self,
        path: Path | None,
        version: str = "",
        *,
        catalogue: Catalogue | None = None,
        changes: Changes = lambda _: (),
        reads: Sequence[type[Event]] = (),
    ) -> None:
        self._path, self._version = path, f"{_LAYOUT}:{version}"
        self._catalogue, self._changes = catalogue or Catalogue(()), changes
        self._topics = {kind.TOPIC for kind in reads}
        self._lock = threading.RLock()
        self._db = self._opened()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """One at a time, and what SQLite says of a bad file in our words."""
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as fault:
                raise _unusable(fault) from None
            except sqlite3.DatabaseError as fault:
                raise IndexDamaged("the text index is damaged", why=str(fault), cure="remove memory.db") from None

    def write(self, changes: Iterable[Put | Drop]) -> None:
        """For texts that come from elsewhere than the log."""
        with self._guarded(), self._transaction():
            self._apply(changes)

    def catch_up(self, rows_after: Callable[[int, int], list[Row]], end: int) -> int:
        """Read what the log has beyond the index, up to `end`; the number of events that were read."""
        with self._guarded():
            if self._position() > end:
                # Of a log that ends before, this is not the index.
                self._begin_again()
            done = 0
            while self._position() < end and (count := self._follow(rows_after)):
                done += count
            return done

    def search(self, words: str, limit: int, kind: str | None = None) -> list[Found]:
        """The texts that share words with this one, those with the rarest words first."""
        match = matching(words)
        if not match or limit < 1:
            return []
        with self._guarded():
            rows = self._db.execute(_SEARCH, (match, kind, kind, limit)).fetchall()
        return [_found(row, -row[5]) for row in rows]

    def every(self, kind: str | None = None) -> list[Found]:
        sql = f"{_FOUND} {_JOINED} WHERE ? IS NULL OR places.kind = ? ORDER BY places.id"
        with self._guarded():
            return [_found(row, 0.0) for row in self._db.execute(sql, (kind, kind))]

    def recover(self) -> None:
        """Forget everything: the file was damaged, and the log has it all."""
        with self._lock:
            self._db.close()
            self._remove()
            self._db = self._opened()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.DatabaseError as fault:
            if isinstance(fault, sqlite3.OperationalError):
                raise _unusable(fault) from None
            self._remove()
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        name = ":memory:" if self._path is None else str(self._path)
        db = sqlite3.connect(name, timeout=30.0, isolation_level=None, check_same_thread=False)
        try:
            if self._path is not None:
                db.execute("PRAGMA journal_mode=WAL")
            # What is lost here is written again from the log.
            db.execute("PRAGMA synchronous=OFF")
            db.execute("BEGIN IMMEDIATE")
            db.execute("CREATE TABLE IF NOT EXISTS about (version TEXT, position INTEGER)")
            if [self._version] != [row[0] for row in db.execute("SELECT version FROM about")]:
                self._empty(db)
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _empty(self, db: sqlite3.Connection) -> None:
        """Dropped, not deleted from: an older program may have laid them out otherwise."""
        for statement in ("DROP TABLE IF EXISTS texts", "DROP TABLE IF EXISTS places", *_TABLES, "DELETE FROM about"):
            db.execute(statement)
        db.execute("INSERT INTO about VALUES (?, 0)", (self._version,))

    def _begin_again(self) -> None:
        with self._transaction():
            self._empty(self._db)

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            if self._path is not None:
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _position(self) -> int:
        position: int = self._db.execute("SELECT position FROM about").fetchone()[0]
        return position

    def _follow(self, rows_after: Callable[[int, int], list[Row]]) -> int:
        with self._transaction():
            # Read inside: another process may have written meanwhile.
            rows = rows_after(self._position(), CHUNK)
            for _, _, _, topic, state in rows:
                if topic in self._topics:
                    self._apply(self._changes(self._catalogue.decode(topic, state)))
            if rows:
                self._db.execute("UPDATE about SET position = ?", (rows[-1][0],))
        return len(rows)

    def _apply(self, changes: Iterable[Put | Drop]) -> None:
        for change in changes:
            known = self._db.execute("SELECT place FROM places WHERE id = ?", (change.id,)).fetchone()
            if known is not None:
                self._db.execute("DELETE FROM texts WHERE rowid = ?", known)
                self._db.execute("DELETE FROM places WHERE id = ?", (change.id,))
            if isinstance(change, Put):
                texts = (change.text, "\n".join(change.tags), " ".join(parts(change.text)))
                place = self._db.execute("INSERT INTO texts VALUES (?, ?, ?)", texts).lastrowid
                self._db.execute("INSERT INTO places VALUES (?, ?, ?, ?)", (place, change.id, change.kind, change.at))


def _found(row: tuple[str, str, float, str, str], score: float) -> Found:
    return Found(row[0], score, row[1], row[2], row[3], tuple(row[4].split("\n")) if row[4] else ())


def _unusable(fault: Exception) -> LedgerUnavailable:
    return LedgerUnavailable("the text index cannot be used now", why=str(fault), cure="try again")

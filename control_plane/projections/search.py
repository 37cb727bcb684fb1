"""A text index beside the log, in SQLite's FTS5 with BM25 ranks: it may be deleted, and is then written again.

Whatever somebody types is cut into words and each word is quoted, so that no query can be more than its words.
"""

import contextlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..errors import ControlPlaneError, LedgerUnavailable
from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event

CHUNK, MOST_WORDS = 4096, 48
_LAYOUT = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS about (version TEXT, position INTEGER);
CREATE TABLE IF NOT EXISTS places (id TEXT PRIMARY KEY, place INTEGER, kind TEXT, at REAL);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (
    text, tags, parts, tokenize = "porter unicode61 remove_diacritics 2"
);
"""
_FOUND = "SELECT places.id, places.kind, places.at, texts.text, texts.tags"
_JOINED = "FROM texts JOIN places ON places.place = texts.rowid"
# Tags say what a text is about, so they count twice; parts of a name in camel case count half.
_RANK = "bm25(texts, 1.0, 2.0, 0.5)"
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# They say nothing about the subject; a query of nothing else is taken as it is.
_COMMON = frozenset(
    _WORD.findall(
        "a about after all also an and any are as at be because been before but by can did do does for from get had "
        "has have how i if in into is it its may must my no not of on or our should so some that the their them then "
        "there these they this to up us was we were what when where which while who why will with would you your"
    )
)


class IndexDamaged(ControlPlaneError):
    """Nothing is lost: the log has it all."""

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
        sql = f"{_FOUND}, {_RANK} AS rank {_JOINED} WHERE texts MATCH ? AND (? IS NULL OR places.kind = ?)"
        with self._guarded():
            rows = self._db.execute(f"{sql} ORDER BY rank, places.id LIMIT ?", (match, kind, kind, limit)).fetchall()
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
            # Not `executescript`, which would end the transaction.
            for statement in filter(str.strip, _CREATE.split(";")):
                db.execute(statement)
            if [self._version] != [row[0] for row in db.execute("SELECT version FROM about")]:
                self._empty(db)
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _empty(self, db: sqlite3.Connection) -> None:
        for table in ("about", "places", "texts"):
            db.execute(f"DELETE FROM {table}")
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
                self._db.execute("INSERT INTO places VALUES (?, ?, ?, ?)", (change.id, place, change.kind, change.at))


def matching(words: str) -> str:
    """The MATCH expression for a text: any of its words, each quoted, so that none of them is an operator."""
    found = _WORD.findall(words)
    found += [part for word in found for part in parts(word)]
    known = dict.fromkeys(word.lower() for word in found)
    telling = [word for word in known if word not in _COMMON] or list(known)
    return " OR ".join(f'"{word}"' for word in telling[:MOST_WORDS])


def parts(text: str) -> list[str]:
    """What names in camel case are made of."""
    mixed = (word for word in _WORD.findall(text) if not word.islower() and not word.isupper())
    return [part.lower() for word in mixed if len(found := _PART.findall(word)) > 1 for part in found]


def _found(row: tuple[str, str, float, str, str], score: float) -> Found:
    return Found(row[0], score, row[1], row[2], row[3], tuple(row[4].split("\n")) if row[4] else ())


def _unusable(fault: Exception) -> LedgerUnavailable:
    return LedgerUnavailable("the text index cannot be used now", why=str(fault), cure="try again")

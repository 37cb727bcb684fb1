"""Tables for those who ask in SQL: written behind the log, in a file that may be deleted and is then rebuilt."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec

from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event

CHUNK = 2000
Statement = tuple[str, tuple[Any, ...]]


class View(msgspec.Struct, frozen=True):
    """Its tables, and the statements that one event leads to; raise `version` to have it rebuilt."""

    name: str
    version: int
    tables: tuple[str, ...]
    creates: tuple[str, ...]
    write: Callable[[int, Event], Iterable[Statement]]
    reads: tuple[type[Event], ...]


class Views:
    """All views of one file, and the position up to which each is written: both in the same transaction."""

    def __init__(self, path: Path, catalogue: Catalogue, views: tuple[View, ...]) -> None:
        self._path, self._catalogue, self._views = path, catalogue, views
        self._positions: dict[str, int] = {}

    async def open(self) -> None:
        self._db = await aiosqlite.connect(self._path)
        await self._db.execute("PRAGMA journal_mode=WAL")
        # What is lost here is written again from the log.
        await self._db.execute("PRAGMA synchronous=OFF")
        await self._db.execute("CREATE TABLE IF NOT EXISTS views (name TEXT PRIMARY KEY, version INT, position INT)")
        for view in self._views:
            await self._prepare(view)
        await self._db.commit()

    async def write_behind(self, rows_after: Callable[[int, int], list[Row]]) -> int:
        """Write what the log has beyond the views; the number of events that were read."""
        done = 0
        while rows := rows_after(min(self._positions.values(), default=0), CHUNK):
            await self._write(rows)
            done += len(rows)
        return done

    async def fetch(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        async with self._db.execute(sql, values) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]

    @property
    def position(self) -> int:
        return min(self._positions.values(), default=0)

    async def close(self) -> None:
        await self._db.close()

    async def _prepare(self, view: View) -> None:
        known = await self.fetch("SELECT version, position FROM views WHERE name = ?", (view.name,))
        if known and known[0][0] == view.version:
            self._positions[view.name] = known[0][1]
            return
        for table in view.tables:
            await self._db.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in view.creates:
            await self._db.execute(statement)
        await self._db.execute("INSERT OR REPLACE INTO views VALUES (?, ?, 0)", (view.name, view.version))
        self._positions[view.name] = 0

    async def _write(self, rows: list[Row]) -> None:
        batches: dict[str, list[tuple[Any, ...]]] = {}
        for view in self._views:
            topics = {kind.TOPIC for kind in view.reads}
            for position, _, _, topic, state in rows:
                if topic in topics and position > self._positions[view.name]:
                    for sql, values in view.write(position, self._catalogue.decode(topic, state)):
                        batches.setdefault(sql, []).append(values)
        for sql, many in batches.items():
            await self._db.executemany(sql, many)
        last = rows[-1][0]
        await self._db.execute("UPDATE views SET position = ? WHERE position < ?", (last, last))
        await self._db.commit()
        self._positions = {name: max(last, position) for name, position in self._positions.items()}

"""Where one log lies in PostgreSQL, and its tree seen from inside one transaction."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from psycopg import Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composable, Identifier, Literal

from ..errors import ForeignHome, NewerHome
from .facts import KeysChanged
from .merkle import Tile
from .sealing import KEPT_EVERY

SCHEMA = 1
_MARK = "control-plane ledger, schema "
_LONGEST_NAME = 63
_CREATE = (
    "CREATE TABLE {events} (notification_id bigint PRIMARY KEY, originator_id {id_type} NOT NULL, "
    "originator_version bigint NOT NULL, topic text NOT NULL, state bytea NOT NULL, "
    "UNIQUE (originator_id, originator_version))",
    # The few events about keys and archives are found without a scan.
    "CREATE INDEX ON {events} (notification_id) WHERE left(topic, 7) = 'ledger.'",
    "CREATE TABLE {tiles} (level integer, number bigint, hashes bytea NOT NULL, PRIMARY KEY (level, number))",
    # Hashes do not compress: spare the attempt.
    "ALTER TABLE {tiles} ALTER hashes SET STORAGE EXTERNAL",
    "CREATE TABLE {checkpoints} (size bigint PRIMARY KEY, note text NOT NULL)",
    "COMMENT ON TABLE {events} IS {mark}",
)
_HEAD = (
    "SELECT (SELECT note FROM {checkpoints} ORDER BY size DESC LIMIT 1), (SELECT max(notification_id) FROM {events}), "
    "(SELECT max(notification_id) FROM {events} WHERE left(topic, 7) = 'ledger.' AND topic = %s)"
)
_TILE = "SELECT hashes FROM {tiles} WHERE level = %s AND number = %s"
_PUT = (
    "WITH grown AS (INSERT INTO {tiles} SELECT * FROM unnest(%b::integer[], %b::bigint[], %b::bytea[]) "
    "ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes), "
    "superseded AS (DELETE FROM {checkpoints} WHERE size > %s AND size < %s) "
    "INSERT INTO {checkpoints} VALUES (%s, %s)"
)
_MARK_OF = "SELECT to_regclass(%(name)s) IS NOT NULL, obj_description(to_regclass(%(name)s), 'pg_class')"


class Tables(NamedTuple):
    """Three tables of one schema, and the channel on which their commits are told."""

    schema: str
    events: str = "stored_events"

    @property
    def channel(self) -> str:
        return f"{self.schema}.{self.events}"[-_LONGEST_NAME:]

    def sql(self, statement: str, **more: Composable) -> bytes:
        """The statement with its names in it."""
        return _formatted(self, statement) if not more else _format(self, statement, more)

    def create(self, cursor: Cursor[Any], id_type: str) -> None:
        mark = Literal(f"{_MARK}{SCHEMA}")
        # Only when it is missing: whoever may not make schemas may still use one.
        if not cursor.execute("SELECT FROM pg_namespace WHERE nspname = %s", (self.schema,)).rowcount:
            cursor.execute(self.sql("CREATE SCHEMA {schema}", schema=Identifier(self.schema)))
        for statement in _CREATE:
            cursor.execute(self.sql(statement, id_type=Identifier(id_type), mark=mark))

    def found(self, cursor: Cursor[Any]) -> bool:
        """Whether the log is there; raises when something else is, or a newer program's."""
        own = cursor.connection.cursor(row_factory=tuple_row)
        name = Identifier(self.schema, self.events).as_string()
        row = own.execute(_MARK_OF, {"name": name}).fetchone()
        assert row is not None
        exists, mark = row
        schema = (mark or "").removeprefix(_MARK)
        if exists and (schema == mark or not schema.isdecimal()):
            raise ForeignHome(f"the table {self.channel} was not made by a control plane", cure="name another schema")
        if exists and int(schema) > SCHEMA:
            raise NewerHome(
                f"{self.channel} has schema {schema}, this program knows {SCHEMA}", cure="use a newer version"
            )
        return bool(exists)


def _format(tables: Tables, statement: str, more: Mapping[str, Composable]) -> bytes:
    schema, events = tables
    names = {
        "events": Identifier(schema, events),
        "tiles": Identifier(schema, f"{events}_tiles"),
        "checkpoints": Identifier(schema, f"{events}_checkpoints"),
        "channel": Identifier(tables.channel),
    }
    return SQL(statement).format(**names, **more).as_bytes()


@lru_cache(maxsize=1024)
def _formatted(tables: Tables, statement: str) -> bytes:
    return _format(tables, statement, {})


class End(NamedTuple):
    """What a log ends with: the signed head, the last event, the last change of keys."""

    note: str | None
    size: int
    keys_changed: int


class PostgresTree:
    """The tree's tables, seen from inside one transaction in which nobody else writes."""

    def __init__(self, cursor: Cursor[Any], tables: Tables) -> None:
        self._cursor = cursor.connection.cursor(row_factory=tuple_row, binary=True)
        self._tables = tables
        self._end: End | None = None

    def end(self) -> End:
        """Read in one round trip, and once a transaction."""
        if self._end is None:
            row = self._cursor.execute(self._tables.sql(_HEAD), (KeysChanged.TOPIC,)).fetchone()
            assert row is not None
            note, size, changed = row
            self._end = End(note, size or 0, changed or 0)
        return self._end

    def last_note(self) -> str | None:
        return self.end().note

    def keys_changed(self) -> int:
        return self.end().keys_changed

    def tile(self, level: int, index: int) -> bytes:
        row = self._cursor.execute(self._tables.sql(_TILE), (level, index)).fetchone()
        return bytes(row[0]) if row else b""

    def put(self, tiles: list[Tile], size: int, note: str) -> None:
        block = (size - 1) // KEPT_EVERY * KEPT_EVERY
        levels, numbers, hashes = map(list, zip(*tiles, strict=True))
        self._cursor.execute(self._tables.sql(_PUT), (levels, numbers, hashes, block, size, size, note))
        self._end = None

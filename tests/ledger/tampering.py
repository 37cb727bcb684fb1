"""Hands on a database: what an attacker does to rows, and what the audit says of it."""

import sqlite3
from collections.abc import Callable

from control_plane.ledger.audit import Verdict, verify
from control_plane.ledger.home import Home
from tests.ledger import small

Tampering = Callable[[sqlite3.Connection], object]


def tampered(home: Home, tampering: Tampering | str) -> Verdict:
    with small.tampering(home) as connection:
        if isinstance(tampering, str):
            connection.executescript(tampering)
        else:
            tampering(connection)
    return verify(home)


def shift(connection: sqlite3.Connection, first: int, by: int) -> None:
    """Renumber everything from `first` on, the way that leaves ids unique."""
    connection.execute("UPDATE stored_events SET rowid = -rowid - 100000 WHERE rowid >= ?", (first,))
    connection.execute("UPDATE stored_events SET rowid = -rowid - 100000 + ? WHERE rowid < -1000", (by,))


def permute(connection: sqlite3.Connection, order: dict[int, int]) -> None:
    """Move rows to other positions."""
    for old, new in order.items():
        connection.execute("UPDATE stored_events SET rowid = ? WHERE rowid = ?", (-new - 100000, old))
    connection.execute("UPDATE stored_events SET rowid = -rowid - 100000 WHERE rowid < -1000")


def insert(connection: sqlite3.Connection, position: int, stream: str = "forged") -> None:
    connection.execute(
        "INSERT INTO stored_events VALUES (?, ?, 1, 'router.noted', ?)",
        (position, stream, b'{"v":1,"at":1.0,"text":"x"}'),
    )


def flip(connection: sqlite3.Connection, column: str, position: int, place: int, bit: int = 1) -> None:
    """Change a single byte of a column, keeping its type."""
    (value,) = connection.execute(f"SELECT {column} FROM stored_events WHERE rowid = ?", (position,)).fetchone()
    if isinstance(value, int):
        connection.execute(
            f"UPDATE stored_events SET {column} = ? WHERE rowid = ?", (value ^ bit << 16 + place % 4 * 8, position)
        )
        return
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[place % len(raw)] ^= bit
    changed = raw.decode("latin-1") if isinstance(value, str) else bytes(raw)
    connection.execute(f"UPDATE stored_events SET {column} = ? WHERE rowid = ?", (changed, position))

"""Small ledgers for tests: made once, copied, tampered with."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from control_plane.clock import Clock
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.facts import EVENTS
from control_plane.ledger.home import Home
from control_plane.ledger.opening import Opened, create_home


class Noted(Event, frozen=True, kw_only=True):
    """Something worth a row."""

    TOPIC: ClassVar[str] = "router.noted"
    text: str


CATALOGUE = Catalogue([*EVENTS, Noted])


def begin(root: Path) -> Home:
    home = Home(root)
    create_home(home, CATALOGUE, Clock())
    return home


def grown(root: Path, size: int) -> Home:
    """A home of so many events, its beginning among them."""
    home = begin(root)
    grow(home, size - 1)
    return home


@contextlib.contextmanager
def opened(home: Home) -> Iterator[Opened]:
    held = Opened(home, CATALOGUE, Clock())
    try:
        yield held
    finally:
        held.close()


def grow(home: Home, events: int, *, streams: int = 3, batch: int = 64, at: float = 1.0, padding: str = "") -> None:
    """Append so many events in several streams, and let the witness see the head."""
    with opened(home) as held:
        size = held.backend.size()
        end = size + events
        while size < end:
            stream = f"journal-{size // batch % streams}"
            count = min(batch, end - size)
            states = [
                CATALOGUE.encode(Noted(at=at + n, text=f"event {n}{padding}"))
                for n in range(size + 1, size + count + 1)
            ]
            held.backend.insert(stream, held.backend.stored_upto(stream) + 1, [Noted.TOPIC] * count, states)
            size += count
        held.sight()


def copy(home: Home, to: Path) -> Home:
    """The same ledger in another folder; it shares the witness."""
    shutil.copytree(home.root, to)
    return Home(to)


@contextlib.contextmanager
def tampering(home: Home) -> Iterator[sqlite3.Connection]:
    """The database in the hands of somebody who knows SQL but not the key."""
    with contextlib.closing(sqlite3.connect(home.database)) as connection:
        yield connection
        connection.commit()

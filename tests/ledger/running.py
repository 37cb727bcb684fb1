"""A ledger at work, for tests: opened as the plane opens it, and what it holds at the end."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from control_plane.clock import Clock
from control_plane.ledger.audit import Verdict, verify
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.facts import EVENTS
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened, create_home


class Counted(Event, frozen=True, kw_only=True):
    """A result with a name of its own, so that it can be missed or met twice."""

    TOPIC: ClassVar[str] = "router.counted"
    name: str


CATALOGUE = Catalogue([*EVENTS, Counted])


def counted(name: object) -> Counted:
    return Counted(at=1.0, name=str(name))


def open_ledger(root: Path, *, clock: Clock | None = None, segments: int = 16, **options: Any) -> Ledger:
    home, clock = Home(root), clock or Clock()
    create_home(home, CATALOGUE, clock)
    opened = Opened(home, CATALOGUE, clock)
    opened.check()
    opened.recover()
    return Ledger(opened.backend, Journal(home.journal, segments=segments), CATALOGUE, clock, **options)


@contextlib.contextmanager
def running(root: Path, **options: Any) -> Iterator[Ledger]:
    ledger = open_ledger(root, **options)
    try:
        yield ledger
    finally:
        ledger.close()


def recover(root: Path) -> int:
    """What the next process does first."""
    opened = Opened(Home(root), CATALOGUE, Clock())
    try:
        opened.check()
        found = opened.recover()
        opened.sight()
        return found
    finally:
        opened.close()


def names(ledger: Ledger) -> list[str]:
    """The names of all results in the log, in the order of their positions."""
    found, after = [], 0
    while rows := ledger.read(after, 5000):
        found += [row.event.name for row in rows if isinstance(row.event, Counted)]
        after = rows[-1].position
    return found


def audited(root: Path) -> Verdict:
    return verify(Home(root))

"""Folding and opening a million events: with a snapshot a home is open within a second, without one within six."""

import time
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from control_plane.clock import Clock
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.facts import EVENTS
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened, open_home
from control_plane.projections.folding import Folder, Projection
from control_plane.projections.snapshots import Snapshots

MILLION, BATCH = 1_000_000, 2000
KEY = b"k" * 32


class Answered(Event, frozen=True, kw_only=True, gc=False):
    """As much as a router's result says."""

    TOPIC: ClassVar[str] = "router.answered"
    decision: str
    arm: str
    success: bool
    latency_ms: float


class Tally(msgspec.Struct):
    successes: dict[str, int] = {}
    latency_ms: float = 0.0


def count(tally: Tally, event: Answered) -> None:
    tally.successes[event.arm] = tally.successes.get(event.arm, 0) + event.success
    tally.latency_ms += event.latency_ms


TALLY = Projection("tally", 1, Tally, count, (Answered,))
CATALOGUE = Catalogue([*EVENTS, Answered])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of a million events, written and signed in batches."""
    path = tmp_path_factory.mktemp("million") / "home"
    opened = open_home(path, None, CATALOGUE, Clock())
    for first in range(0, MILLION, BATCH):
        states = [
            CATALOGUE.encode(
                Answered(at=1.0, decision=f"01JD{n:020}", arm=f"a/m{n % 25}", success=n % 3 == 0, latency_ms=1.5)
            )
            for n in range(first, first + BATCH)
        ]
        opened.backend.insert("results", first + 1, [Answered.TOPIC] * BATCH, states)
    opened.close()
    return path


def opening(path: Path) -> tuple[float, float, int]:
    """Seconds until open, seconds of them folding, and the position."""
    begun = time.perf_counter()
    opened: Opened = open_home(path, None, CATALOGUE, Clock())
    opened.check()
    opened.recover()
    ledger = Ledger(opened.backend, Journal(opened.home.journal), CATALOGUE, Clock())
    folder = Folder(ledger, [TALLY])
    snapshots = Snapshots(opened.home.snapshots, KEY)
    snapshots.load(folder, (TALLY,), ledger.root_at)
    ready = time.perf_counter()
    folder.follow()
    done = time.perf_counter()
    snapshots.save(folder, ledger.root_at)
    assert sum(folder.state(TALLY).successes.values()) == len(range(0, MILLION, 3))
    ledger.close()
    return done - begun, done - ready, folder.position


@pytest.mark.requirement("LEDGER-132", "LEDGER-133", "LEDGER-134")
def test_a_million_events_fold_and_open_in_time(home: Path, record_property) -> None:
    whole, folding, position = opening(home)
    quick, _, again = opening(home)
    rate = position / folding
    print(f"\nfold {rate:,.0f} events/s; open without a snapshot {whole:.2f} s, with one {quick:.3f} s")
    record_property("fold_per_second", rate)
    assert position == again == MILLION + 1
    assert rate >= 250_000
    assert whole <= 6.0
    assert quick <= 1.0

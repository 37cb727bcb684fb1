"""Verified ingestion: 5,000 signed records a second on one core, commits, signatures and folds included."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane
from control_plane.learning.risk import lesson
from control_plane.learning.signing import sign
from control_plane.learning.state import LearningState
from control_plane.proving import HandClock
from control_plane.proving.forging import Forge

RECORDS, ROUNDS, BAR = 10_000, 5, 5_000.0


@pytest.fixture
def forge() -> Forge:
    return Forge(9, HandClock().now())


@pytest.fixture
def plane(tmp_path: Path, forge: Forge) -> Iterator[ControlPlane]:
    clock = HandClock()
    arms = [Arm("acme/one"), Arm("acme/two")]
    with ControlPlane.open(tmp_path / "home", catalogue=arms, clock=clock, background=False) as plane:
        for name, key in (("honest", forge.honest), ("second", forge.second)):
            plane.learning.admit(name, key.public_key().public_bytes_raw())
        yield plane


def test_verified_ingestion(plane: ControlPlane, forge: Forge):
    """The core's own time is judged: what others take of a busy machine is not ours."""
    rates, walls = [], []
    for _ in range(ROUNDS):
        lines = [forge.valid() for _ in range(RECORDS)]
        wall, core = time.perf_counter(), time.process_time()
        done = plane.learning.ingest(lines)
        walls.append(RECORDS / (time.perf_counter() - wall))
        rates.append(RECORDS / (time.process_time() - core))
        assert (done.accepted, done.rejected) == (RECORDS, 0), "it was fast because it let nothing in"
    assert plane.learning.state.accepted == ROUNDS * RECORDS
    assert plane.folder.faults == 0
    print(f"\n{max(rates):,.0f} records a second of one core, {max(walls):,.0f} by the clock on the wall")
    assert max(rates) >= BAR


def test_rejection_costs_no_more_than_acceptance(plane: ControlPlane, forge: Forge):
    lines = [sign(forge.predicate(), forge.stranger) for _ in range(RECORDS)]
    core, before = time.process_time(), plane.ledger.size()
    done = plane.learning.ingest(lines)
    rate = RECORDS / (time.process_time() - core)
    assert done.reasons == {"unknown_key": RECORDS}
    assert plane.ledger.size() - before <= 2, "a flood does not fill the log"
    print(f"\n{rate:,.0f} strangers a second turned away")
    assert rate >= 4 * BAR


def test_a_lesson_costs_next_to_nothing_where_nothing_is_known(plane: ControlPlane, forge: Forge):
    plane.learning.ingest([forge.valid() for _ in range(2000)])
    known: LearningState = plane.learning.state
    for task_type, bar in (("code.none", 20e-6), ("code.1", 500e-6)):
        best = min(_seconds(known, task_type, forge.now) for _ in range(20))
        print(f"\n{task_type}: {best * 1e6:.2f} µs")
        assert best <= bar


def _seconds(state: LearningState, task_type: str, now: float) -> float:
    began = time.perf_counter()
    for _ in range(200):
        lesson(state, task_type, now, attempt=3)
    return (time.perf_counter() - began) / 200

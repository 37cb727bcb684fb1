"""The book of evidence: recorded once, by the log's own clock, never older over newer; any order folds alike."""

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane import ControlPlane
from control_plane.errors import BadSignature, ControlPlaneError, EvidenceInvalid
from control_plane.evidence import sidecar, sign, write
from control_plane.evidence.events import EvidenceRecorded
from control_plane.evidence.rules import EvidenceOutdated, record
from control_plane.evidence.state import Book, fold
from control_plane.flags import read_flags
from control_plane.ledger.notes import Signer
from tests.evidence.samples import sample

NOW = 1_800_000_000.0


def recorded(item: str, at: float, result: str) -> EvidenceRecorded:
    return EvidenceRecorded(
        at=at, item=item, result="green" if result == "green" else "red", digest=f"{item}{at}{result}",
        measured_at=at, file="f", command="c", switch="s", key="k",
    )  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 9), st.sampled_from(["green", "red"])), max_size=20))
@settings(max_examples=100, deadline=None)
def test_the_fold_keeps_what_was_measured_last(given_: list[tuple[str, int, str]]) -> None:
    book = Book()
    for item, at, result in given_:
        fold(book, recorded(item, float(at), result))
    assert book.version == len(given_)
    for item, known in book.newest.items():
        latest = max(at for name, at, _ in given_ if name == item)
        assert known.measured_at == latest
        # Of two of one moment the one that was recorded last.
        assert known.result == [result for name, at, result in given_ if (name, at) == (item, latest)][-1]


def test_what_was_recorded_is_recorded_once_and_nothing_older_or_of_the_future() -> None:
    book = Book()
    (event,) = record(book, sample(at=NOW), "d1", "f", "k", NOW + 5)
    assert (event.result, event.at, event.measured_at) == ("green", NOW + 5, NOW)
    fold(book, event)
    assert record(book, sample(at=NOW), "d1", "f", "k", NOW + 9) == []
    with pytest.raises(EvidenceOutdated, match="older than what is recorded"):
        record(book, sample(at=NOW - 1), "d2", "f", "k", NOW + 9)
    with pytest.raises(EvidenceInvalid, match="in the future"):
        record(book, sample(at=NOW + 301), "d3", "f", "k", NOW)
    assert record(book, sample(at=NOW + 1, green=False), "d4", "f", "k", NOW + 9)[0].result == "red"


@pytest.fixture
def plane(tmp_path: Path):
    with ControlPlane.open(tmp_path / "home", flags=read_flags({}, {}), background=False) as plane:
        yield plane


@pytest.mark.requirement("GOV-37")
def test_recording_signs_and_writes_one_event(plane: ControlPlane, tmp_path: Path) -> None:
    path = write(sample(at=time.time()), tmp_path / "metrics")
    known = plane.evidence.record(path)
    assert sidecar(path).exists()
    assert plane.evidence.verify(path).ok
    assert plane.evidence.record(path) == known == plane.evidence.newest()["FG-01"]
    events = [entry.event for entry in plane.ledger.read(limit=1000) if isinstance(entry.event, EvidenceRecorded)]
    assert [(event.item, event.result, event.digest) for event in events] == [("FG-01", "green", known.digest)]


def test_evidence_that_somebody_else_signed_is_not_recorded(plane: ControlPlane, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = write(sample(at=time.time()), tmp_path / "metrics")
    sign(path, Signer("stranger", Ed25519PrivateKey.generate()))
    with pytest.raises(BadSignature, match="does not hold: unknown-key"):
        plane.evidence.record(path)
    assert plane.evidence.newest() == {}


def test_many_who_record_at_once_leave_one_event_a_file(plane: ControlPlane, tmp_path: Path) -> None:
    now = time.time()
    paths = [write(sample(item, at=now), tmp_path / "metrics") for item in ("FG-01", "FG-02", "FG-03")]
    faults: list[ControlPlaneError] = []

    def run() -> None:
        try:
            for path in paths:
                plane.evidence.record(path)
        except ControlPlaneError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    events = [entry.event for entry in plane.ledger.read(limit=1000) if isinstance(entry.event, EvidenceRecorded)]
    assert sorted(event.item for event in events) == ["FG-01", "FG-02", "FG-03"]

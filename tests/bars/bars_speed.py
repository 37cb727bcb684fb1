"""Bars of speed: a ratio counts only for work that was done."""

import functools
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.test_ledger_append import BATCH, STATE, TOPIC, WRITER, Raw, Signed, ratio
from control_plane.ledger.leaf import leaf_bytes
from control_plane.ledger.notes import Note
from tests.bars.frame import Bar
from tests.bars.measuring import in_a_quiet_interpreter
from tests.ledger import reference

ROUNDS = 9


class Measured(NamedTuple):
    """Something that appends batches, how fast it was in the best of a few runs, and what it left."""

    times_raw: float
    appended: int
    stored: int
    signed_root: bytes


def check_signed_append_is_fast_and_real(measured: Measured) -> None:
    """At least 0.6 times as fast as the same rows unsigned, and all of it stored and signed."""
    assert measured.stored == measured.appended, "it was fast because it did not store"
    states = [leaf_bytes(WRITER, version, TOPIC, STATE) for version in range(1, measured.appended + 1)]
    assert measured.signed_root == reference.root(states), "it was fast because it did not sign"
    assert measured.times_raw >= 0.6, f"only {measured.times_raw:.2f} times as fast as raw rows"


class SignedEach(Signed):
    """Commits and signs event by event."""

    def append(self) -> None:
        for _ in range(BATCH):
            self._recorder.insert_run(WRITER, self._stored + 1, [TOPIC], [STATE])
            self._stored += 1


class StoredNowhere(Signed):
    def append(self) -> None:
        self._stored += BATCH


KINDS = {"signed": Signed, "each": SignedEach, "null": StoredNowhere}


def measure(name: str, folder: Path, runs: int, rounds: int) -> Measured:
    subject, raw = KINDS[name](folder), Raw(folder)
    # Others use this machine too: what was reached once can be reached.
    best = max(ratio(subject.append, raw.append, rounds) for _ in range(runs))
    with subject.datastore.transaction(commit=False) as cursor:
        cursor.execute("SELECT COUNT(*) FROM stored_events")
        stored = cursor.fetchone()[0]
        cursor.execute("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1")
        note = cursor.fetchone()
    subject.datastore.close()
    raw.close()
    return Measured(best, subject._stored, stored, Note.parse(note[0]).checkpoint().root if note else b"")


def measured(name: str, folder: Path, *, runs: int, rounds: int = ROUNDS) -> Measured:
    figures = in_a_quiet_interpreter("tests.bars.bars_speed", name, str(folder), str(runs), str(rounds))
    return msgspec.convert(figures, Measured)


BARS = [
    Bar(
        check_signed_append_is_fast_and_real,
        real=functools.partial(measured, "signed", runs=5),
        null=functools.partial(measured, "null", runs=1),
        planted={"signs event by event": functools.partial(measured, "each", runs=1, rounds=1)},
    ),
]

if __name__ == "__main__":
    found = measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.buffer.write(msgspec.json.encode(found))

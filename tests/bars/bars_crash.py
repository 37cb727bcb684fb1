"""Bars of crash safety: kills, faults of the disk, damaged frames, full journals, barriers."""

import functools
import tempfile
from pathlib import Path

from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.scan import Frame, Scan
from control_plane.ledger.segment import FRAME, HEADER_BYTES
from tests.bars.frame import Bar, Subject
from tests.ledger import small
from tests.ledger.crash_checks import check_damage_is_never_read, check_flush_is_a_barrier, check_full_is_refused
from tests.ledger.faults import check_survives, file_size_limit
from tests.ledger.journals import BODY, PER_SEGMENT, small_journal
from tests.ledger.killing import Outcome, check_audit_is_green, check_nothing_doubled, check_nothing_lost, kill_once
from tests.ledger.running import audited, counted, names, open_ledger


@functools.cache
def killed(mode: str) -> Outcome:
    """One outcome serves several bars."""
    with tempfile.TemporaryDirectory() as folder:
        return kill_once(Path(folder) / "home", mode)


def after_kill(mode: str) -> Subject:
    return lambda _: killed(mode)


def tampered_after_kill(folder: Path) -> Outcome:
    found = kill_once(folder / "home", "honest")
    with small.tampering(small.Home(folder / "home")) as connection:
        connection.execute("UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE rowid = 7")
    return found._replace(verdict=audited(folder / "home"))


def unchecked_frames(content: bytes) -> list[Frame]:
    """Believes every length that it finds."""
    frames, at = [], HEADER_BYTES
    while at + FRAME.size <= len(content):
        length, sequence, _ = FRAME.unpack_from(content, at)
        if not length:
            break
        frames.append(Frame(sequence, content[at + FRAME.size : at + FRAME.size + length]))
        at += FRAME.size + length
    return frames


def frames_up_to_the_first_hole(content: bytes) -> list[Frame]:
    frames = list(Scan(content).frames())
    return [frame for number, frame in enumerate(frames, 7) if frame.sequence == number]


class Held:
    """The journal."""

    room, size = 2 * PER_SEGMENT, len(BODY)

    def __init__(self, folder: Path) -> None:
        self.journal: Journal = small_journal(folder, segments=2)

    def append(self, body: bytes) -> int:
        return self.journal.append(body)

    def bodies(self) -> list[bytes]:
        first = self.journal.take(100)
        self.journal.release(first)
        return first.bodies + self.journal.take(100).bodies

    def close(self) -> None:
        self.journal.close()


class HeldNowhere(Held):
    def append(self, body: bytes) -> int:
        return 1


class Overwritten(Held):
    """Makes room by forgetting the oldest segment."""

    def append(self, body: bytes) -> int:
        if self.journal.appended - self.journal.committed == self.room:
            self.journal.release(self.journal.take(PER_SEGMENT))
        return self.journal.append(body)


class Flushed:
    """The ledger."""

    def __init__(self, folder: Path) -> None:
        self.ledger: Ledger = open_ledger(folder / "home")

    def record(self, name: str) -> None:
        self.ledger.record(counted(name))

    def flush(self) -> None:
        self.ledger.flush()

    def stored(self) -> list[str]:
        return names(self.ledger)

    def close(self) -> None:
        self.ledger.close()


class StoredNowhere(Flushed):
    def record(self, name: str) -> None:
        pass


class FlushedByHalf(Flushed):
    """Waits until the committer has been there, not until it has everything."""

    def flush(self) -> None:
        self.ledger._committer.wake()


def survives(mode: str) -> Subject:
    return lambda folder: (folder / "home", mode)


def check_survives_a_disk_fault(subject: tuple[Path, str]) -> None:
    home, mode = subject
    check_survives(home, file_size_limit, mode)


BARS = [
    Bar(
        check_nothing_lost,
        real=after_kill("honest"),
        null=after_kill("null"),
        planted={"answers first, records later": after_kill("lazy")},
    ),
    Bar(
        check_nothing_doubled,
        real=after_kill("honest"),
        null=after_kill("null"),
        planted={"repeats what had succeeded": after_kill("twice")},
    ),
    Bar(
        check_audit_is_green,
        real=after_kill("honest"),
        null=after_kill("null"),
        planted={"a changed event": tampered_after_kill},
    ),
    Bar(
        check_damage_is_never_read,
        real=lambda _: lambda content: list(Scan(content).frames()),
        null=lambda _: lambda content: [],
        planted={
            "no checksum": lambda _: unchecked_frames,
            "stops at the first hole": lambda _: frames_up_to_the_first_hole,
        },
    ),
    Bar(check_full_is_refused, real=Held, null=HeldNowhere, planted={"overwrites the oldest": Overwritten}),
    Bar(check_flush_is_a_barrier, real=Flushed, null=StoredNowhere, planted={"waits for too little": FlushedByHalf}),
    Bar(
        check_survives_a_disk_fault,
        real=survives("honest"),
        null=survives("null"),
        planted={"drops what cannot be written": survives("forgetful")},
    ),
]

"""What must hold of a journal and of a ledger that buffers, said once for the real ones and their twins."""

from collections.abc import Callable
from typing import Protocol

from control_plane.errors import JournalFull
from control_plane.ledger.scan import Frame
from tests.ledger.journals import BODIES, WHOLE

Read = Callable[[bytes], list[Frame]]


class Holding(Protocol):
    """A journal with room for `room` bodies of `size` bytes."""

    room: int
    size: int

    def append(self, body: bytes) -> int: ...
    def bodies(self) -> list[bytes]: ...


class Flushing(Protocol):
    """Something that buffers what it records."""

    def record(self, name: str) -> None: ...
    def flush(self) -> None: ...
    def stored(self) -> list[str]: ...


def check_damage_is_never_read(read: Read) -> None:
    """Whole frames are read; around a damaged byte all others are, and nothing else ever is."""
    whole = read(WHOLE)
    assert [frame.body for frame in whole] == BODIES
    for at in range(128, len(WHOLE.rstrip(b"\0"))):
        changed = bytearray(WHOLE)
        changed[at] ^= 0x10
        frames = read(bytes(changed))
        assert set(frames) <= set(whole), f"byte {at} became an event"
        assert len(frames) >= len(whole) - 1, f"byte {at} cost more than its own frame"


def check_full_is_refused(journal: Holding) -> None:
    """Everything fits in up to the last body; then appends are refused, and what is in it stays."""
    bodies = [b"%d" % number + b"." * (journal.size - len(str(number))) for number in range(journal.room)]
    for body in bodies:
        journal.append(body)
    refused = 0
    for _ in range(3):
        try:
            journal.append(b"x" * journal.size)
        except JournalFull:
            refused += 1
    assert refused == 3, "a full journal took more"
    assert journal.bodies() == bodies


def check_flush_is_a_barrier(subject: Flushing) -> None:
    """After a flush everything before it is stored, each time."""
    names: list[str] = []
    for turn in range(5):
        for number in range(3000):
            names.append(f"{turn}-{number}")
            subject.record(names[-1])
        subject.flush()
        assert subject.stored() == names

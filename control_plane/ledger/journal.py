"""Where the hot path leaves its facts: one microsecond each, safe from SIGKILL from then on.

One journal a process. Frames are numbered; the ledger stores them as versions of the journal's own stream, so a
frame that was already committed can never be committed twice, whoever tries.

An exception may strike a thread between any two calls, a signal handler or a finalizer may record in the middle of
a record, and a fork may copy the lock while it is held: so what belongs together changes in one statement without a
call in it, and what can be derived is not stored.
"""

import mmap
import os
import secrets
import threading
import weakref
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from ..errors import BadInput, ControlPlaneError, EventTooLarge, Forked, JournalFull, LedgerClosed
from .leaf import MAX_LEAF
from .segment import END, FRAME, HEADER_BYTES, Segment
from .writer_folder import make_folder, remove_folder

SEGMENT_BYTES = 4 << 20
SEGMENTS = 16
# What a leaf adds to a body: the journal's stream, a version, two lengths; with room to spare.
MAX_BODY = MAX_LEAF - 512
_pack = FRAME.pack


class Batch(NamedTuple):
    """Consecutive frames, the first of which has the number `first`; `use` and `end` say where they lie."""

    first: int
    bodies: list[bytes]
    use: int = 0
    end: int = HEADER_BYTES


class Reading(NamedTuple):
    """How far the ledger has come: in the use of a segment that began with frame `use`, up to byte `at`."""

    use: int
    at: int
    sequence: int


class Journal:
    _active: Segment
    _map: mmap.mmap
    _salt: int
    _limit: int
    _at: int

    def __init__(self, folder: Path, *, segments: int = SEGMENTS, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._largest = min(MAX_BODY, segment_bytes - HEADER_BYTES - 2 * FRAME.size)
        if segments < 1 or self._largest < 1:
            raise BadInput(f"a journal of {segments} segments of {segment_bytes} bytes has no room for an event")
        self.writer = secrets.token_hex(16)
        self._folder = folder / self.writer
        # Reentrant: a signal handler may record while the thread that it interrupted does.
        self._lock = threading.RLock()
        self._handle = make_folder(self._folder)
        # All of it at once, in a millisecond: nothing is left to allocate when the disk is full or slow.
        self._segments = self._allocate(segments, segment_bytes)
        self._full: tuple[tuple[Segment, int], ...] = ()  # waiting for their commit, with their last frame's number
        self._end = segment_bytes - FRAME.size
        self._sequence, self._settling = 0, False
        self._gone: ControlPlaneError | None = None
        self._reading = Reading(0, HEADER_BYTES, 0)
        self._begin(self._segments[0], ())
        _OPEN.add(self)

    def append(self, body: bytes) -> int:
        """Write one frame and answer its number; refuses, and never blocks, when the journal is exhausted."""
        size = len(body)
        if not 0 < size <= self._largest:
            raise EventTooLarge(f"an event of {size:,} bytes", why=f"the journal takes 1 to {self._largest:,}")
        with self._lock:
            while True:
                sequence = self._sequence + 1
                at = self._at
                end = at + size + 12
                if end > self._limit:
                    self._turn()
                    continue
                low = sequence & 0xFFFFFFFF
                # The end mark travels with the frame; the next frame overwrites it.
                frame = _pack(size, low, crc32(body, self._salt ^ low)) + body + END
                # Unequal when the calls above were interrupted by somebody who recorded too.
                if sequence == self._sequence + 1:
                    break
            self._map[at : end + 12] = frame
            self._at, self._sequence = end, sequence
        return sequence

    @property
    def appended(self) -> int:
        """The number of the last frame that is safe."""
        return self._sequence

    @property
    def committed(self) -> int:
        """The number of the last frame that the ledger holds."""
        return self._reading.sequence

    def check(self) -> None:
        """Raise when this journal was closed, or belongs to the process that we were forked from."""
        if self._gone is not None:
            raise self._gone

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more, because it was closed or we were forked."""
        return self._gone is not None

    def take(self, frames: int) -> Batch:
        """The oldest frames that are not committed, of one segment; they stay until `release`."""
        with self._lock:
            reading = self._reading
            if self._gone is not None:
                return Batch(reading.sequence + 1, [], reading.use, reading.at)
            self._retire()
            source, last = self._full[0] if self._full else (self._active, self._sequence)
        at = reading.at if reading.use == source.first else HEADER_BYTES
        content, bodies = source.map, []
        for _ in range(min(frames, last - reading.sequence)):
            start = at + 12
            at = start + int.from_bytes(content[at : at + 4], "little")
            bodies.append(content[start:at])
        return Batch(reading.sequence + 1, bodies, source.first, at)

    def release(self, batch: Batch) -> None:
        """Forget frames that the ledger now holds; a finished segment is used again."""
        if batch.first != self._reading.sequence + 1:
            raise BadInput(f"frame {batch.first} is released out of turn", why=f"{self.committed} is the last one")
        self._reading = Reading(batch.use, batch.end, batch.first + len(batch.bodies) - 1)
        with self._lock:
            self._retire()

    def close(self, *, keep: bool = False) -> None:
        """Give everything back; frames that are not committed stay on disk for the next process.

        `keep` leaves those that were committed too, as far back as they are still there.
        """
        with self._lock:
            if self._gone is not None:
                return
            self._refuse(LedgerClosed("the ledger is closed", cure="open it again"))
            keep = keep or self._reading.sequence < self._sequence
            kept = (self._active, *(segment for segment, _ in self._full)) if keep else ()
            for segment in self._segments:
                if segment in kept:
                    segment.close()
                else:
                    segment.delete()
            if keep:
                os.close(self._handle)
            else:
                remove_folder(self._folder, self._handle)

    def abandon(self) -> None:
        """In a forked child: the memory map is still the parent's, the right to write into it is not ours."""
        self._lock = threading.RLock()
        if self._gone is None:
            os.close(self._handle)
            self._refuse(
                Forked(
                    "this process was forked from the one that opened the ledger",
                    why="two processes cannot write into one journal",
                    cure="open a control plane after the fork, in the child",
                )
            )

    def _allocate(self, segments: int, segment_bytes: int) -> list[Segment]:
        made: list[Segment] = []
        try:
            for number in range(segments):
                made.append(Segment(self._folder / f"{number:04}.segment", segment_bytes))  # noqa: PERF401 - undone below
        except BaseException:
            for segment in made:
                segment.delete()
            remove_folder(self._folder, self._handle)
            raise
        return made

    def _begin(self, segment: Segment, full: tuple[tuple[Segment, int], ...]) -> None:
        segment.start(self.writer, self._sequence + 1, secrets.randbits(32))
        new = (full, segment, segment.map, segment.salt, self._end, HEADER_BYTES)
        self._full, self._active, self._map, self._salt, self._limit, self._at = new

    def _turn(self) -> None:
        """Go on in a segment that is free; raises when there is none."""
        self.check()
        self._retire()
        if self._settling:
            raise self._exhausted()
        self._settling = True
        try:
            # Whoever interrupts us finds no room and comes here too.
            self._limit = -1
            in_use = {id(self._active), *(id(segment) for segment, _ in self._full)}
            free = next((segment for segment in self._segments if id(segment) not in in_use), None)
            if free is None:
                raise self._exhausted()
            self._begin(free, (*self._full, (self._active, self._sequence)))
        finally:
            self._limit = self._end
            self._settling = False

    def _exhausted(self) -> JournalFull:
        return JournalFull(
            f"the journal is full: {self._sequence - self.committed:,} events wait for the ledger",
            why="the database cannot be written or is slower than what is recorded",
            cure="see `control-plane doctor`; the call may be repeated later",
        )

    def _retire(self) -> None:
        """Free the segments that were read to their end; whoever interrupts us here must not turn."""
        if self._settling:
            return
        self._settling = True
        try:
            while self._full and self._reading.sequence >= self._full[0][1]:
                self._full[0][0].retire()
                self._full = self._full[1:]
        finally:
            self._settling = False

    def _refuse(self, error: ControlPlaneError) -> None:
        self._gone, self._limit = error, -1


def _abandon_all() -> None:
    for journal in list(_OPEN):
        journal.abandon()


_OPEN: "weakref.WeakSet[Journal]" = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    # Once, not for each journal: what is registered here is kept for ever.
    os.register_at_fork(after_in_child=_abandon_all)

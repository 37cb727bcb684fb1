"""Where the hot path leaves its facts: one microsecond each, safe from SIGKILL from then on.

One journal a process. Frames are numbered; the ledger stores them as versions of the journal's own stream, so a
frame that was already committed can never be committed twice, whoever tries.
"""

import fcntl
import os
import secrets
import threading
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from ..errors import EventTooLarge, Forked, HomeReadOnly, JournalFull
from .segment import END, FRAME, HEADER_BYTES, Segment

SEGMENT_BYTES = 4 << 20
SEGMENTS = 16
MAX_BODY = 0xFFFF
_LOCK = "lock"


class Batch(NamedTuple):
    """Consecutive frames, the first of which has the number `first`."""

    first: int
    bodies: list[bytes]


class Journal:
    def __init__(self, folder: Path, *, segments: int = SEGMENTS, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.writer = secrets.token_hex(16)
        self._folder = folder / self.writer
        self._segment_bytes, self._limit = segment_bytes, segment_bytes - FRAME.size
        self._handle = _make_folder(self._folder)
        self._lock = threading.Lock()
        # All of it at once, in a millisecond: nothing is left to allocate when the disk is full or slow.
        self._spares = [Segment(self._folder / f"{number:04}.segment", segment_bytes) for number in range(segments)]
        self._full: list[tuple[Segment, int]] = []  # waiting for their commit, with the number of their last frame
        self._sequence = 0
        self._at = HEADER_BYTES
        self._read_sequence, self._read_at = 0, HEADER_BYTES
        self._open(self._spares.pop())
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def append(self, body: bytes) -> int:
        """Write one frame and answer its number; refuses, and never blocks, when the journal is exhausted."""
        size = len(body)
        if size > MAX_BODY:
            raise EventTooLarge(f"an event of {size:,} bytes", why=f"the limit is {MAX_BODY:,}")
        with self._lock:
            at = self._at
            end = at + size + 12
            if end > self._limit:
                self._turn()
                at = self._at
                end = at + size + 12
            sequence = self._sequence + 1
            checksum = crc32(body, self._salt ^ sequence & 0xFFFFFFFF)
            # The end mark travels with the frame; the next frame overwrites it.
            self._map[at : end + 12] = b"%b%b%b" % (FRAME.pack(size, sequence & 0xFFFFFFFF, checksum), body, END)
            self._at = end
            self._sequence = sequence
        return sequence

    @property
    def appended(self) -> int:
        """The number of the last frame that is safe."""
        return self._sequence

    @property
    def committed(self) -> int:
        return self._read_sequence

    @property
    def capacity(self) -> int:
        return (len(self._spares) + 1 + len(self._full)) * self._segment_bytes

    def take(self, frames: int) -> Batch:
        """The oldest frames that are not committed; they stay until `release`."""
        with self._lock:
            source, last = (self._full[0][0].map, self._full[0][1]) if self._full else (self._map, self._sequence)
        last = min(last, self._read_sequence + frames)
        at, bodies = self._read_at, []
        for _ in range(last - self._read_sequence):
            size = int.from_bytes(source[at : at + 4], "little")
            bodies.append(source[at + 12 : at + 12 + size])
            at += 12 + size
        return Batch(self._read_sequence + 1, bodies)

    def release(self, batch: Batch) -> None:
        """Forget frames that the ledger now holds; a finished segment is used again, the warmest first."""
        self._read_sequence += len(batch.bodies)
        self._read_at += sum(map(len, batch.bodies)) + 12 * len(batch.bodies)
        with self._lock:
            while self._full and self._read_sequence >= self._full[0][1]:
                segment = self._full.pop(0)[0]
                segment.retire()
                self._spares.append(segment)
                self._read_at = HEADER_BYTES

    def close(self) -> None:
        """Give everything back; frames that are not committed stay on disk for the next process."""
        with self._lock:
            self._limit = -1
            if self._read_sequence == self._sequence:
                for segment in (self._active, *self._spares, *(full[0] for full in self._full)):
                    segment.delete()
                (self._folder / _LOCK).unlink(missing_ok=True)
                self._folder.rmdir()
            else:
                for spare in self._spares:
                    spare.delete()
            os.close(self._handle)

    def _open(self, segment: Segment) -> None:
        segment.start(self.writer, self._sequence + 1, secrets.randbits(32))
        self._active, self._map, self._salt, self._at = segment, segment.map, segment.salt, HEADER_BYTES

    def _turn(self) -> None:
        if self._limit < 0:
            raise Forked("this journal is closed", cure="open a control plane in this process")
        if not self._spares:
            raise JournalFull(
                f"the journal is full: {self._sequence - self._read_sequence:,} events wait for the ledger",
                why="the database cannot be written or is slower than what is recorded",
                cure="see `control-plane doctor`; the call may be repeated later",
            )
        turned = (self._active, self._sequence)
        self._open(self._spares.pop())
        self._full.append(turned)

    def _forked(self) -> None:
        # The child shares the memory map but not the right to write into it.
        self._lock = threading.Lock()
        self._limit = -1
        os.close(self._handle)


def _make_folder(folder: Path) -> int:
    """The folder of one writer, locked for as long as the writer lives."""
    try:
        folder.mkdir(parents=True, mode=0o700)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise HomeReadOnly(f"the journal folder {folder} cannot be made", why=os.strerror(fault.errno or 0)) from None
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle

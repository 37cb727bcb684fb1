"""Reading what a dead writer left in a segment: frames whose checksum holds, and nothing else."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .leaf import MAX_LEAF
from .segment import COPY, END, FRAME, HEADER, HEADER_BYTES, MAGIC, frame_checksum, pack_header

_NOT_ZERO = re.compile(rb"[^\0]")


class Frame(NamedTuple):
    sequence: int
    body: bytes


class Scan:
    """The frames of one segment, and how many places in it could not be read as frames."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.writer, self.first, self.damaged = "", 0, 0
        header = _read_header(content[:COPY]) or _read_header(content[COPY:HEADER_BYTES])
        if header is not None:
            self._salt, self.writer, self.first = header
        elif content[:HEADER_BYTES].strip(b"\0"):
            self.damaged = 1
        self.used = header is not None

    def frames(self) -> Iterator[Frame]:
        """Every frame whose checksum holds, in order; a hole is skipped and counted, never read."""
        at, last = HEADER_BYTES, self.first - 1
        while self.used and at + FRAME.size < len(self._content):
            frame = self._frame(at, last)
            if frame is None:
                # Zeros are the end, unless something that was written later stands behind them.
                ended = self._content[at : at + FRAME.size] == END
                at, frame = self._after_hole(at + 1, last)
                self.damaged += frame is not None or not ended
                if frame is None:
                    return
            yield frame
            at, last = at + FRAME.size + len(frame.body), frame.sequence

    def _after_hole(self, at: int, last: int) -> tuple[int, Frame | None]:
        """The next place where a frame begins; lengths have two zero bytes on top, which is quick to look for."""
        while True:
            zeros = self._content.find(b"\0\0", at + 2)
            if zeros < 0 or zeros + 10 >= len(self._content):
                return at, None
            at = zeros - 2
            frame = self._frame(at, last)
            if frame is not None:
                return at, frame
            following = _NOT_ZERO.search(self._content, at + 1)
            # In a stretch of zeros the next length begins at the first other byte, or one before it.
            at = max(at + 1, following.start() - 1) if following else len(self._content)

    def _frame(self, at: int, last: int) -> Frame | None:
        length, low, checksum = FRAME.unpack_from(self._content, at)
        start = at + FRAME.size
        step = (low - last) & 0xFFFFFFFF
        if not 0 < length <= min(MAX_LEAF, len(self._content) - start) or not 0 < step <= len(self._content):
            return None
        body = self._content[start : start + length]
        return Frame(last + step, body) if frame_checksum(self._salt, low, body) == checksum else None


def _read_header(content: bytes) -> tuple[int, str, int] | None:
    if len(content) < HEADER.size:
        return None
    magic, salt, raw, first, _ = HEADER.unpack_from(content)
    writer = raw.rstrip(b"\0").decode(errors="replace")
    whole = magic == MAGIC and content[: HEADER.size] == pack_header(salt, writer, first)
    return (salt, writer, first) if whole else None

"""One preallocated, memory-mapped file of checksummed frames; what is in it survives the death of its process.

    header   magic, salt, writer, first sequence number, CRC: twice, so that a damaged one costs nothing (128 bytes)
    frame    u32 length of the body | u32 sequence number | u32 CRC of both and the body | body
    end      a frame header of zeros

The salt is new for each use of the file and seeds every CRC, so what an earlier use left behind is never read.
"""

import errno
import fcntl
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from ..errors import HomeReadOnly, LedgerUnavailable

_MAGIC = b"CPJRNL01"
_HEADER = Struct("<8sI32sQI")
_COPY = 64
HEADER_BYTES = 2 * _COPY
FRAME = Struct("<III")
END = b"\0" * FRAME.size


class Frame(NamedTuple):
    sequence: int
    body: bytes


class Segment:
    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.map = _allocate(path, size)
        self.salt = 0

    def start(self, writer: str, first: int, salt: int) -> None:
        """Begin a new use: the end mark goes in before the header, so that nothing old can follow it."""
        self.salt = salt
        self.map[HEADER_BYTES : HEADER_BYTES + FRAME.size] = END
        header = _pack_header(salt, writer, first)
        self.map[:HEADER_BYTES] = header.ljust(_COPY, b"\0") + header.ljust(_COPY, b"\0")

    def retire(self) -> None:
        self.map[:HEADER_BYTES] = b"\0" * HEADER_BYTES

    def delete(self) -> None:
        self.map.close()
        self.path.unlink(missing_ok=True)


class Scan:
    """The frames of a segment that a dead writer left, and how many bytes could not be read as frames."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.writer, self.first, self.damaged = "", 0, 0
        header = _read_header(content[:_COPY]) or _read_header(content[_COPY:HEADER_BYTES])
        if header is not None:
            self._salt, self.writer, self.first = header
        elif content[:HEADER_BYTES].strip(b"\0"):
            self.damaged = 1
        self.used = header is not None

    def frames(self) -> Iterator[Frame]:
        """Every frame whose checksum holds, in order; a hole is skipped and counted, never read."""
        at, last, in_hole = HEADER_BYTES, self.first - 1, False
        end = len(self._content) - FRAME.size
        while self.used and at <= end:
            body = self._body(at, last)
            if body is not None:
                sequence = FRAME.unpack_from(self._content, at)[1]
                yield Frame(sequence, body)
                at, last, in_hole = at + FRAME.size + len(body), sequence, False
            elif not in_hole and self._content[at : at + FRAME.size] == END:
                return
            else:
                self.damaged += not in_hole
                at, in_hole = at + 1, True

    def _body(self, at: int, last: int) -> bytes | None:
        length, sequence, checksum = FRAME.unpack_from(self._content, at)
        body = self._content[at + FRAME.size : at + FRAME.size + length]
        if not length or len(body) != length or not last < sequence <= last + len(self._content):
            return None
        return body if frame_checksum(self._salt, sequence, body) == checksum else None


def _pack_header(salt: int, writer: str, first: int) -> bytes:
    return _HEADER.pack(_MAGIC, salt, writer.encode(), first, crc32(b"%b%d %d" % (writer.encode(), salt, first)))


def _read_header(content: bytes) -> tuple[int, str, int] | None:
    if len(content) < _HEADER.size:
        return None
    magic, salt, raw, first, _ = _HEADER.unpack_from(content)
    writer = raw.rstrip(b"\0").decode(errors="replace")
    whole = magic == _MAGIC and content[: _HEADER.size] == _pack_header(salt, writer, first)
    return (salt, writer, first) if whole else None


def frame_checksum(salt: int, sequence: int, body: bytes) -> int:
    return crc32(body, salt ^ sequence & 0xFFFFFFFF)


def _allocate(path: Path, size: int) -> mmap.mmap:
    """Reserve real blocks: writing into a sparse map on a full disk would kill the host with SIGBUS."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise HomeReadOnly(f"the journal {path} cannot be written", why=os.strerror(fault.errno or 0)) from None
    try:
        _reserve(handle, size)
        return mmap.mmap(handle, size)
    except OSError as fault:
        path.unlink(missing_ok=True)
        why = os.strerror(fault.errno or 0)
        raise LedgerUnavailable(f"no room for a journal of {size >> 20} MB", why=why, cure="free some disk") from None
    finally:
        os.close(handle)


def _reserve(handle: int, size: int) -> None:
    if sys.platform == "darwin":
        # F_PREALLOCATE wants a struct fstore: allocate all, from the physical end of the file.
        fcntl.fcntl(handle, 42, Struct("=IiqqQ").pack(4, 3, 0, size, 0))
        os.ftruncate(handle, size)
    elif hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        raise OSError(errno.ENOSYS, "this platform cannot reserve disk blocks")

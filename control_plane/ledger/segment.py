"""One preallocated, memory-mapped file of checksummed frames; what is in it survives the death of its process.

    header   magic, salt, writer, first sequence number, CRC: twice, so that a damaged one costs nothing (128 bytes)
    frame    u32 length of the body | u32 sequence number, its low half | u32 CRC of number and body | body
    end      a frame header of zeros

The salt is new for each use of the file and seeds every CRC, so what an earlier use left behind is never read.
"""

import mmap
import os
from pathlib import Path
from struct import Struct
from zlib import crc32

from ..errors import HomeReadOnly, LedgerUnavailable
from .refusals import cure_of

MAGIC = b"CPJRNL01"
HEADER = Struct("<8sI32sQI")
COPY = 64
HEADER_BYTES = 2 * COPY
FRAME = Struct("<III")
END = b"\0" * FRAME.size


class Segment:
    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.map = _allocate(path, size)
        self.salt, self.first = 0, 0

    def start(self, writer: str, first: int, salt: int) -> None:
        """Begin a new use: the end mark goes in before the header, so that nothing old can follow it."""
        self.salt, self.first = salt, first
        self.map[HEADER_BYTES : HEADER_BYTES + FRAME.size] = END
        header = pack_header(salt, writer, first)
        self.map[:HEADER_BYTES] = header.ljust(COPY, b"\0") + header.ljust(COPY, b"\0")

    def retire(self) -> None:
        self.map[:HEADER_BYTES] = b"\0" * HEADER_BYTES

    def close(self) -> None:
        self.map.close()

    def delete(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)


def pack_header(salt: int, writer: str, first: int) -> bytes:
    return HEADER.pack(MAGIC, salt, writer.encode(), first, crc32(b"%b%d %d" % (writer.encode(), salt, first)))


def frame_checksum(salt: int, sequence: int, body: bytes) -> int:
    # A seed is a bijection: the same body under another salt or number never has the same checksum.
    return crc32(body, salt ^ sequence & 0xFFFFFFFF)


def _allocate(path: Path, size: int) -> mmap.mmap:
    """Reserve real blocks: writing into a sparse map on a full disk would kill the host with SIGBUS."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as fault:
        raise HomeReadOnly(f"the journal {path} cannot be written", why=os.strerror(fault.errno or 0)) from None
    try:
        # Closed first: Windows deletes no file that is open.
        try:
            _reserve(handle, size)
            return mmap.mmap(handle, size)
        finally:
            os.close(handle)
    except OSError as fault:
        path.unlink(missing_ok=True)
        why, cure = os.strerror(fault.errno or 0), cure_of(fault) or "free some disk"
        raise LedgerUnavailable(f"no room for a journal of {size >> 20} MB", why=why, cure=cure) from None


def _reserve(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    # macOS and Windows: what was written has its place.
    zeros = bytes(1 << 20)
    for at in range(0, size, len(zeros)):
        left = memoryview(zeros)[: size - at]
        while left:
            left = left[os.write(handle, left) :]

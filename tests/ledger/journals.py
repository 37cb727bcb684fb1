"""Small journals for tests, and what recovery finds in them."""

from pathlib import Path

from control_plane.ledger.journal import Journal
from control_plane.ledger.scan import Frame, Scan
from control_plane.ledger.segment import COPY, END, FRAME, HEADER_BYTES, frame_checksum, pack_header

BODY = b"x" * 88
PER_SEGMENT = 10
SEGMENT_BYTES = HEADER_BYTES + PER_SEGMENT * (FRAME.size + len(BODY)) + FRAME.size


def small_journal(folder: Path, segments: int = 3) -> Journal:
    """Ten bodies of `BODY` fit into each segment."""
    return Journal(folder, segments=segments, segment_bytes=SEGMENT_BYTES)


def drain(journal: Journal, frames: int = 4) -> list[bytes]:
    """Take and release everything, a few frames at a time."""
    bodies = []
    while (batch := journal.take(frames)).bodies:
        bodies += batch.bodies
        journal.release(batch)
    return bodies


def left_behind(folder: Path) -> tuple[list[Frame], int]:
    """The frames that the next process would find, and the damage that it would report."""
    scans = [Scan(path.read_bytes()) for path in sorted(folder.glob("*/*.segment"))]
    used = sorted((scan for scan in scans if scan.used), key=lambda scan: scan.first)
    return [frame for scan in used for frame in scan.frames()], sum(scan.damaged for scan in scans)


WRITER = "0123456789abcdef" * 2
BODIES = [b"first", b"\0" * 40, b"third" * 30, b"f", b"fifth\0\0\0\0fifth", bytes(300)]


def packed(salt: int, first: int, bodies: list[bytes]) -> bytes:
    """Frames as the journal writes them."""
    numbered = enumerate(bodies, first)
    return b"".join(
        FRAME.pack(len(body), number & 0xFFFFFFFF, frame_checksum(salt, number & 0xFFFFFFFF, body)) + body
        for number, body in numbered
    )


def content(
    bodies: list[bytes] = BODIES, *, first: int = 7, salt: int = 99, size: int = 2048, old: bytes = b""
) -> bytes:
    header = pack_header(salt, WRITER, first).ljust(COPY, b"\0")
    written = header * 2 + packed(salt, first, bodies) + END
    return written + old[len(written) : size].ljust(size - len(written), b"\0")


WHOLE = content()

"""Small journals for tests, and what recovery finds in them."""

from pathlib import Path

from control_plane.ledger.journal import Journal
from control_plane.ledger.scan import Frame, Scan
from control_plane.ledger.segment import FRAME, HEADER_BYTES

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

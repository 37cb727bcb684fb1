"""The long part of an audit: every row against the tree, in blocks that several processes can share.

As a program (`python -m control_plane.ledger.rowscan DATABASE ARCHIVE`) it reads lines `first last` and answers each
with the numbers of the tiles that need a closer look.
"""

import signal
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from .evidence import Evidence
from .merkle import HASH, TILE_BYTES, TILE_WIDTH
from .sqlite_evidence import SQLiteEvidence

BLOCK = 16 * TILE_WIDTH


def suspects(evidence: Evidence, first: int, last: int) -> list[int]:
    """The tiles of leaves, by number, from which the rows or the tree above differ; `first` begins a tile."""
    found: list[int] = []
    for start in range(first, last + 1, BLOCK):
        found += _suspects(evidence, start, min(start + BLOCK - 1, last))
    return found


def _suspects(evidence: Evidence, first: int, last: int) -> list[int]:
    numbers = range((first - 1) // TILE_WIDTH, (last - 1) // TILE_WIDTH + 1)
    tiles = [leaf_tile(evidence, number, last) for number in numbers]
    whole = (last - first + 1) // TILE_WIDTH
    above = [parent(evidence, number) for number in numbers[:whole]]
    hashes = evidence.hashes(first, last)
    if hashes is not None and b"".join(hashes) == b"".join(tiles) and tile_roots(hashes[: whole * TILE_WIDTH]) == above:
        return []
    rows = hashes or [b""] * (last - first + 1)
    return [
        number
        for n, number in enumerate(numbers)
        if b"".join(rows[n * TILE_WIDTH : (n + 1) * TILE_WIDTH]) != tiles[n]
        or (n < whole and tile_roots(split(tiles[n])) != [above[n]])
    ]


def leaf_tile(evidence: Evidence, number: int, last: int) -> bytes:
    """A tile of leaf hashes, of a tree that ends at `last`."""
    return evidence.tile(0, number)[: (last - number * TILE_WIDTH) * HASH][:TILE_BYTES]


def parent(evidence: Evidence, number: int) -> bytes:
    """What the tree's level 1 says of a whole tile of leaves."""
    at = number % TILE_WIDTH * HASH
    return evidence.tile(1, number // TILE_WIDTH)[at : at + HASH]


def split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]


def tile_roots(nodes: list[bytes]) -> list[bytes]:
    """The roots of whole tiles, given all their hashes; nothing when they are not whole."""
    if len(nodes) % TILE_WIDTH:
        return []
    for _ in range(TILE_WIDTH.bit_length() - 1):
        pairs = iter(nodes)
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return nodes


def _work(database: Path, archive: Path) -> None:
    # Whoever gave the order ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with closing(SQLiteEvidence(database, archive)) as evidence:
        for order in sys.stdin:
            first, last = map(int, order.split())
            sys.stdout.write(" ".join(map(str, suspects(evidence, first, last))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _work(Path(sys.argv[1]), Path(sys.argv[2]))

"""The RFC 6962 tree, grown at its right edge; complete nodes go out as tlog-tiles."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

HASH = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH
EMPTY_ROOT = sha256().digest()


class Tile(NamedTuple):
    """Up to 256 hashes of one level: leaves at level 0, roots of whole tiles above."""

    level: int
    number: int
    hashes: bytes


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier(NamedTuple):
    """Everything that appending needs to know of the tree: immutable, so a failed commit leaves nothing behind.

    `waiting[h]` is the root of the perfect subtree of height h that has no right sibling yet;
    `edges[l]` are the hashes of the unfinished tile of level l.
    """

    size: int = 0
    waiting: tuple[bytes | None, ...] = ()
    edges: tuple[bytes, ...] = ()

    def extend(self, leaf_hashes: Sequence[bytes]) -> tuple["Frontier", list[Tile]]:
        """The frontier after these leaves, and the tiles that changed."""
        waiting, edges, tiles = list(self.waiting), list(self.edges), list[Tile]()
        nodes, height = list(leaf_hashes), 0
        while nodes:
            if height % TILE_HEIGHT == 0:
                tiles += _extend_edge(edges, height, self.size >> height, nodes)
            if height == len(waiting):
                waiting.append(None)
            left = waiting[height]
            if left is not None:
                nodes.insert(0, left)
            waiting[height] = nodes[-1] if len(nodes) % 2 else None
            pairs = iter(nodes)
            nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
            height += 1
        return Frontier(self.size + len(leaf_hashes), tuple(waiting), tuple(edges)), tiles

    def root(self) -> bytes:
        root = None
        for node in self.waiting:
            if node is not None:
                root = node if root is None else node_hash(node, root)
        return EMPTY_ROOT if root is None else root


def _extend_edge(edges: list[bytes], height: int, before: int, nodes: Iterable[bytes]) -> list[Tile]:
    level = height // TILE_HEIGHT
    if level == len(edges):
        edges.append(b"")
    hashes = edges[level] + b"".join(nodes)
    first = before >> TILE_HEIGHT
    starts = range(0, len(hashes), TILE_BYTES)
    edges[level] = hashes[len(hashes) // TILE_BYTES * TILE_BYTES :]
    return [Tile(level, first + number, hashes[at : at + TILE_BYTES]) for number, at in enumerate(starts)]


def edge_tiles(size: int) -> list[tuple[int, int, int]]:
    """(level, index, width) of the unfinished tiles of a tree of this size: what a frontier is read back from."""
    found, level = [], 0
    while size >> TILE_HEIGHT * level:
        count = size >> TILE_HEIGHT * level
        if count % TILE_WIDTH:
            found.append((level, count >> TILE_HEIGHT, count % TILE_WIDTH))
        level += 1
    return found


def frontier_from_edges(size: int, edges: Iterable[Tile]) -> Frontier:
    """Rebuild the frontier of a tree from its unfinished tiles."""
    levels = -(-size.bit_length() // TILE_HEIGHT)
    by_level = {tile.level: tile.hashes for tile in edges}
    waiting: list[bytes | None] = []
    for level in range(levels):
        hashes = by_level.get(level, b"")
        part, _ = Frontier().extend([hashes[at : at + HASH] for at in range(0, len(hashes), HASH)])
        waiting += (*part.waiting, *(None,) * TILE_HEIGHT)[:TILE_HEIGHT]
    return Frontier(size, tuple(waiting[: size.bit_length()]), tuple(by_level.get(n, b"") for n in range(levels)))

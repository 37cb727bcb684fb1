"""How far the stored tree can be trusted: up to where it, or else the rows themselves, lead to a signed root."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..errors import ProofError
from .evidence import Evidence
from .findings import Finding, Reason
from .merkle import HASH, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Frontier
from .notes import Checkpoint
from .proofs import TileTree
from .rowscan import BLOCK, split, tile_roots

Leaves = Callable[[int, int], list[bytes]]


class Trust(NamedTuple):
    """What the highest checkpoint (of size `signed`) and those before it say of the stored tree.

    `whole`: all of its levels lead to the highest. If not, its leaves alone lead to the one of size `tree`, and the
    rows to the one of size `rows`. `strangers` are signed and belong to another history than the highest.
    """

    signed: int
    whole: bool
    tree: int
    rows: int
    findings: list[Finding]
    strangers: list[Checkpoint]


def trusted(evidence: Evidence, size: int, signed: list[Checkpoint]) -> Trust:
    """Hold the stored tree against every checkpoint; `signed` is in the order of sizes."""
    tree = TileTree(size, evidence.tile)
    held = [checkpoint for checkpoint in signed if _leads_to(tree, checkpoint)]
    findings = list(_damaged_tiles(evidence, size))
    upto = signed[-1].size if signed else 0
    if held == signed or (held and held[-1].size == upto):
        return Trust(upto, True, upto, 0, findings, [checkpoint for checkpoint in signed if checkpoint not in held])
    return _rebuilt(evidence, signed, findings)


def _leads_to(tree: TileTree, checkpoint: Checkpoint) -> bool:
    try:
        return tree.root(checkpoint.size) == checkpoint.root
    except ProofError:
        return False


def _damaged_tiles(evidence: Evidence, size: int) -> Iterator[Finding]:
    """Tiles above the leaves that do not follow from those below them, and tiles of no tree of this size."""
    level = 1
    while size >> TILE_HEIGHT * (level + 1):
        for number in range(size >> TILE_HEIGHT * (level + 1)):
            tile = evidence.tile(level, number)
            at = number % TILE_WIDTH * HASH
            if tile_roots(split(tile)) != [evidence.tile(level + 1, number // TILE_WIDTH)[at : at + HASH]]:
                yield _damaged(f"tile {level}/{number}")
        level += 1
    sizes = evidence.tile_sizes()
    if sizes is None:
        return
    expected = tile_sizes(size)
    for level, number in sorted(expected.keys() ^ sizes.keys(), key=str):
        yield _damaged(f"tile {level}/{number}")
    for tile_name, length in expected.items():
        if sizes.get(tile_name, length) != length:
            yield _damaged(f"tile {tile_name[0]}/{tile_name[1]}")


def tile_sizes(size: int) -> dict[tuple[int, int], int]:
    """The bytes of every tile of a tree of `size` leaves."""
    sizes, level = {}, 0
    while count := size >> TILE_HEIGHT * level:
        for number in range(-(-count // TILE_WIDTH)):
            sizes[level, number] = min(TILE_BYTES, (count - number * TILE_WIDTH) * HASH)
        level += 1
    return sizes


def _rebuilt(evidence: Evidence, signed: list[Checkpoint], findings: list[Finding]) -> Trust:
    """The tree above the leaves is not as signed: grow it anew, from the stored leaf hashes and from the rows."""
    tree = _grown(lambda first, last: _stored_leaves(evidence, first, last), signed)
    rows = _grown(lambda first, last: _row_leaves(evidence, first, last), signed)
    if signed[-1].size in (tree, rows):
        findings = [*findings, _damaged("a tile")]
    return Trust(signed[-1].size, False, tree, rows, findings, [])


def _grown(leaves: Leaves, signed: list[Checkpoint]) -> int:
    """The size of the highest checkpoint to which these leaves lead."""
    frontier, best = Frontier(), 0
    for checkpoint in signed:
        for first in range(frontier.size + 1, checkpoint.size + 1, BLOCK):
            last = min(first + BLOCK - 1, checkpoint.size)
            found = leaves(first, last)
            if len(found) != last - first + 1:
                return best
            frontier = frontier.extend(found)[0]
        if frontier.root() == checkpoint.root:
            best = checkpoint.size
    return best


def _stored_leaves(evidence: Evidence, first: int, last: int) -> list[bytes]:
    numbers = range((first - 1) // TILE_WIDTH, (last - 1) // TILE_WIDTH + 1)
    tiles = b"".join(evidence.tile(0, number).ljust(TILE_BYTES, b"\0")[:TILE_BYTES] for number in numbers)
    skipped = (first - 1) % TILE_WIDTH
    return split(tiles)[skipped : skipped + last - first + 1]


def _row_leaves(evidence: Evidence, first: int, last: int) -> list[bytes]:
    found = evidence.found(first, last)
    return [leaf for position in range(first, last + 1) if (leaf := found.get(position)) is not None]


def _damaged(what: str) -> Finding:
    return Finding(None, Reason.CHANGED, f"{what} of the stored tree is damaged")

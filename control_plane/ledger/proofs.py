"""Inclusion and consistency proofs (RFC 6962) out of tiles, and their verification."""

import base64
import re
from collections.abc import Callable

from ..errors import ProofError
from .merkle import EMPTY_ROOT, HASH, TILE_HEIGHT, TILE_WIDTH, Frontier, node_hash

_TLOG_PROOF = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile("0|[1-9][0-9]{0,18}")
ReadTile = Callable[[int, int], bytes]


class TileTree:
    """Any node of a tree of `size` leaves, read from its tiles; tiles already read are kept for one use."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size = size
        self._read_tile = read_tile
        self._kept: dict[tuple[int, int], bytes] = {}

    def root(self, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        size = self.size if size is None else size
        if not 0 <= index < size <= self.size:
            raise ProofError(f"there is no leaf {index} in a tree of {size}")
        return self._path(index, 0, size)

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        size = self.size if size is None else size
        if not 0 <= old <= size <= self.size:
            raise ProofError(f"a tree of {size} cannot contain one of {old}")
        return self._subproof(old, 0, size, whole=True) if 0 < old < size else []

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        split = start + _split(end - start)
        if index < split:
            return [*self._path(index, start, split), self._subtree(split, end)]
        return [*self._path(index, split, end), self._subtree(start, split)]

    def _subproof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self._subtree(start, end)]
        split = start + _split(end - start)
        if old <= split:
            return [*self._subproof(old, start, split, whole=whole), self._subtree(split, end)]
        return [*self._subproof(old, split, end, whole=False), self._subtree(start, split)]

    def _subtree(self, start: int, end: int) -> bytes:
        count = end - start
        if count & (count - 1) == 0 and start % count == 0:
            return self._node(count.bit_length() - 1, start // count)
        split = start + _split(count)
        return node_hash(self._subtree(start, split), self._subtree(split, end))

    def _node(self, height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        first = index << rest
        tile, offset = divmod(first, TILE_WIDTH)
        hashes = self._tile(level, tile)[offset * HASH : (offset + (1 << rest)) * HASH]
        if len(hashes) != HASH << rest:
            raise ProofError(f"tile {level}/{tile} is too short", cure="run `control-plane ledger verify`")
        nodes = [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]
        return Frontier().extend(nodes)[0].root()

    def _tile(self, level: int, index: int) -> bytes:
        key = (level, index)
        if key not in self._kept:
            self._kept[key] = self._read_tile(level, index)
        return self._kept[key]


def root_from_inclusion(leaf_hash: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that this path leads to; raises ProofError when the path has the wrong length."""
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    _check_lengths(leaf_hash, *path)
    node, last, rest = leaf_hash, size - 1, list(path)
    while last:
        if index % 2 or index == last:
            node = node_hash(_next(rest), node)
            while index % 2 == 0:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, _next(rest))
        index, last = index >> 1, last >> 1
    if rest:
        raise ProofError("the inclusion proof is too long")
    return node


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: list[bytes]) -> None:
    """Raise ProofError unless the tree of `old` leaves is a prefix of the tree of `size` leaves."""
    if not 0 <= old <= size:
        raise ProofError(f"a tree of {size} cannot contain one of {old}")
    _check_lengths(old_root, root, *path)
    if old in (0, size):
        if path or (old == size and old_root != root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofError("the consistency proof does not lead to both roots")
        return
    rest, index, last = list(path), old - 1, size - 1
    while index % 2:
        index, last = index >> 1, last >> 1
    left = right = _next(rest) if index else old_root
    while last:
        if index % 2 or index == last:
            sibling = _next(rest)
            left, right = node_hash(sibling, left), node_hash(sibling, right)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            right = node_hash(right, _next(rest))
        index, last = index >> 1, last >> 1
    if rest or left != old_root or right != root:
        raise ProofError("the consistency proof does not lead to both roots")


def tlog_proof(index: int, path: list[bytes], note: str) -> str:
    """The C2SP tlog-proof text: a proof and its checkpoint in one file that anyone can check offline."""
    hashes = "".join(base64.b64encode(node).decode() + "\n" for node in path)
    return f"{_TLOG_PROOF}\nindex {index}\n{hashes}\n{note}"


def read_tlog_proof(text: str) -> tuple[int, list[bytes], str]:
    """The index, the path and the note of a tlog-proof; none of it is believed yet."""
    proof, blank, note = text.partition("\n\n")
    lines = proof.split("\n")
    if lines[1:] and lines[1].startswith("extra "):
        del lines[1]
    kind, _, index = lines[1].partition(" ") if lines[1:] else ("", "", "")
    if not blank or lines[0] != _TLOG_PROOF or kind != "index" or not _INDEX.fullmatch(index):
        raise ProofError("not a tlog-proof", why=f"it reads {_TLOG_PROOF}, an index, hashes, a blank line and a note")
    try:
        path = [base64.b64decode(line, validate=True) for line in lines[2:]]
    except ValueError:
        raise ProofError("a hash in the tlog-proof is not base64") from None
    _check_lengths(*path)
    return int(index), path, note


def _check_lengths(*hashes: bytes) -> None:
    # Two nodes are hashed one after the other: were their lengths free, the border between them would be, too.
    if any(len(node) != HASH for node in hashes):
        raise ProofError(f"a hash in the proof does not have {HASH} bytes")


def _next(path: list[bytes]) -> bytes:
    if not path:
        raise ProofError("the proof is too short")
    return path.pop(0)


def _split(count: int) -> int:
    """The largest power of two that is smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1

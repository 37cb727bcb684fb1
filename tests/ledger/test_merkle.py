"""The growing tree against RFC 6962, by published vectors and by property."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.ledger.merkle import (
    EMPTY_ROOT,
    HASH,
    Frontier,
    Tile,
    edge_tiles,
    frontier_from_edges,
    leaf_hash,
    node_hash,
)
from tests.ledger import reference

# Leaves and roots that implementations of RFC 6962 have in common.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Chunks that end on, before and after the edges of tiles.
CHUNKS = st.lists(st.one_of(st.integers(0, 40), st.sampled_from([255, 256, 257, 512, 600])), max_size=8)


def grown(chunks: list[int]) -> tuple[Frontier, dict[tuple[int, int], bytes], list[bytes]]:
    """A frontier that grew chunk by chunk, the tiles that it gave out, and its leaves."""
    frontier, tiles, leaves = Frontier(), dict[tuple[int, int], bytes](), list[bytes]()
    for chunk in chunks:
        new = [b"leaf %d" % (len(leaves) + n) for n in range(chunk)]
        frontier, changed = frontier.extend(list(map(leaf_hash, new)))
        tiles |= {(tile.level, tile.number): tile.hashes for tile in changed}
        leaves += new
    return frontier, tiles, leaves


@pytest.mark.requirement("LEDGER-29", "LEDGER-111")
@pytest.mark.parametrize("size", range(9))
def test_published_roots_of_small_trees(size: int) -> None:
    frontier, _ = Frontier().extend([leaf_hash(leaf) for leaf in LEAVES[:size]])
    assert frontier.root().hex() == ROOTS[size]
    assert reference.root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.requirement("LEDGER-111")
@settings(max_examples=60, deadline=None)
@given(CHUNKS)
def test_a_frontier_that_grows_in_chunks_is_the_tree_of_all_leaves(chunks: list[int]) -> None:
    frontier, _, leaves = grown(chunks)
    assert frontier.size == len(leaves)
    assert frontier.root() == reference.root(leaves)


@pytest.mark.requirement("LEDGER-111")
@settings(max_examples=40, deadline=None)
@given(CHUNKS)
def test_tiles_hold_every_complete_node_of_their_levels(chunks: list[int]) -> None:
    _, tiles, leaves = grown(chunks)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    expected, level = {}, 0
    while hashes:
        for number, start in enumerate(range(0, len(hashes), 256)):
            expected[level, number] = b"".join(hashes[start : start + 256])
        hashes = [
            reference.root(leaves[start << 8 * (level + 1) : start + 1 << 8 * (level + 1)])
            for start in range(len(hashes) // 256)
        ]
        level += 1
    assert tiles == expected


@settings(max_examples=60, deadline=None)
@given(CHUNKS, st.integers(0, 700))
def test_a_frontier_read_back_from_its_edge_grows_on_alike(chunks: list[int], more: int) -> None:
    frontier, tiles, _ = grown(chunks)
    edges = [
        Tile(level, index, tiles[level, index][: width * HASH]) for level, index, width in edge_tiles(frontier.size)
    ]
    again = frontier_from_edges(frontier.size, edges)
    assert again == frontier
    new = [leaf_hash(b"more %d" % n) for n in range(more)]
    assert again.extend(new) == frontier.extend(new)


def test_a_frontier_is_a_value_that_growing_leaves_alone() -> None:
    frontier, _, leaves = grown([300])
    frontier.extend([leaf_hash(b"x")] * 300)
    assert frontier.root() == reference.root(leaves)


def test_the_third_level_begins_after_65_536_leaves() -> None:
    hashes = [leaf_hash(b"%d" % n) for n in range(65_536 + 300)]
    frontier, tiles = Frontier().extend(hashes)
    assert {tile.level for tile in tiles} == {0, 1, 2}
    level = hashes[:65_536]
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    (top,) = (tile for tile in tiles if tile.level == 2)
    assert top.hashes == level[0]
    rest, _ = Frontier().extend(hashes[65_536:])
    assert frontier.root() == node_hash(level[0], rest.root())


def test_leaves_and_nodes_are_hashed_apart() -> None:
    assert sha256().digest() == EMPTY_ROOT
    assert leaf_hash(b"\x01" * 64) != node_hash(b"\x01" * 32, b"\x01" * 32)
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)

"""Proofs out of tiles: those that hold are those of RFC 6962, and no other passes."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import ProofError
from control_plane.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash
from control_plane.ledger.proofs import (
    TileTree,
    check_consistency,
    read_tlog_proof,
    root_from_inclusion,
    tlog_proof,
)
from tests.ledger import reference

MOST = 600
LEAVES = [b"leaf %d" % n for n in range(MOST)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
SIZES = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 511, 512, 513, MOST]), st.integers(1, MOST))


def tree(size: int) -> TileTree:
    _, tiles = Frontier().extend(HASHES[:size])
    by_name = {(tile.level, tile.number): tile.hashes for tile in tiles}
    return TileTree(size, lambda level, number: by_name.get((level, number), b""))


@pytest.mark.requirement("LEDGER-111")
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_inclusion_proofs_are_those_of_the_reference_and_lead_to_its_root(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    path = tree(size).inclusion(index)
    assert path == reference.inclusion(index, LEAVES[:size])
    assert root_from_inclusion(HASHES[index], index, size, path) == reference.root(LEAVES[:size])


@pytest.mark.requirement("LEDGER-111")
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_consistency_proofs_are_those_of_the_reference_and_hold(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    old = data.draw(st.integers(1, size))
    path = tree(size).consistency(old)
    assert path == reference.consistency(old, LEAVES[:size])
    check_consistency(old, reference.root(LEAVES[:old]), size, reference.root(LEAVES[:size]), path)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, MOST))
def test_the_root_of_any_earlier_size_can_be_had_from_the_tiles(size: int) -> None:
    assert tree(MOST).root(size) == reference.root(LEAVES[:size])


@pytest.mark.requirement("LEDGER-113")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_falsified_inclusion_proof_leads_elsewhere_or_is_refused(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    path = tree(size).inclusion(index)
    root, leaf = reference.root(LEAVES[:size]), HASHES[index]
    place = data.draw(st.integers(0, max(len(path) - 1, 0)))
    changed = [bytes([node[0] ^ 1]) + node[1:] if n == place else node for n, node in enumerate(path)]
    others = st.integers(0, size - 1).filter(lambda other: other != index)
    falsified = data.draw(
        st.sampled_from(
            [
                (leaf_hash(b"another"), index, size, path),
                (leaf, index, size, [*path, leaf]),
                (leaf, index, size, [leaf, *path]),
                (leaf, index, size, [*path, b""]),
                *([(leaf, index, size, changed), (leaf, index, size, path[:-1])] if path else []),
                *([(leaf, index, size, path[::-1])] if path[::-1] != path else []),
                *([(leaf, data.draw(others), size, path)] if size > 1 else []),
                (leaf, index + size, size, path),
                (leaf, -1, size, path),
                (leaf, index, 0, path),
            ]
        )
    )
    try:
        assert root_from_inclusion(*falsified) != root
    except ProofError as fault:
        assert fault.code == "proof.invalid"  # noqa: PT017 - refusing is as good as leading elsewhere


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_falsified_consistency_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(SIZES.filter(lambda size: size > 1))
    old = data.draw(st.integers(1, size - 1))
    path = tree(size).consistency(old)
    old_root, root = reference.root(LEAVES[:old]), reference.root(LEAVES[:size])
    place = data.draw(st.integers(0, max(len(path) - 1, 0)))
    changed = [bytes([node[0] ^ 1]) + node[1:] if n == place else node for n, node in enumerate(path)]
    falsified = data.draw(
        st.sampled_from(
            [
                (old, root, size, root, path),
                (old, old_root, size, old_root, path),
                (old, old_root, size, root, path[:-1]),
                (old, old_root, size, root, [*path, root]),
                (old, old_root, size, root, changed),
                (old, old_root, size, root, []),
                (size, old_root, old, root, path),
                (-1, old_root, size, root, path),
                (0, old_root, size, root, []),
            ]
        )
    )
    with pytest.raises(ProofError):
        check_consistency(*falsified)


def test_the_empty_tree_is_a_prefix_of_every_tree() -> None:
    root = reference.root(LEAVES[:5])
    check_consistency(0, EMPTY_ROOT, 5, root, [])
    check_consistency(5, root, 5, root, [])
    for old, old_root, path in ((0, root, []), (0, EMPTY_ROOT, [root]), (5, EMPTY_ROOT, []), (5, root, [root])):
        with pytest.raises(ProofError):
            check_consistency(old, old_root, 5, root, path)


@pytest.mark.requirement("LEDGER-113")
def test_hashes_of_another_length_cannot_shift_the_border_between_two_nodes() -> None:
    left, right = HASHES[0], HASHES[1]
    root = reference.root(LEAVES[:2])
    assert root_from_inclusion(left, 0, 2, [right]) == root
    with pytest.raises(ProofError):
        root_from_inclusion(left + right[:1], 0, 2, [right[1:]])
    with pytest.raises(ProofError):
        root_from_inclusion(left[:31], 0, 2, [left[31:] + right])
    four = reference.root(LEAVES[:4])
    with pytest.raises(ProofError):
        check_consistency(2, root + b"", 4, four, [node + b"x" for node in tree(4).consistency(2)])


def test_questions_without_an_answer_are_refused() -> None:
    small = tree(10)
    for index, size in ((10, 10), (-1, 10), (0, 0), (3, 11)):
        with pytest.raises(ProofError):
            small.inclusion(index, size)
    for old, size in ((-1, 10), (11, 10), (3, 11)):
        with pytest.raises(ProofError):
            small.consistency(old, size)


def test_a_tile_that_is_too_short_is_an_error_not_another_root() -> None:
    with pytest.raises(ProofError, match="too short"):
        TileTree(10, lambda level, number: b"").root()


NOTE = "origin.example/log\n600\nabc=\n\n— key c2ln\n"


def test_a_tlog_proof_reads_back() -> None:
    path = tree(MOST).inclusion(77)
    text = tlog_proof(77, path, NOTE)
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 77\n")
    assert read_tlog_proof(text) == (77, path, NOTE)
    with_extra = text.replace("index", "extra c2FsdA==\nindex", 1)
    assert read_tlog_proof(with_extra) == (77, path, NOTE)
    assert read_tlog_proof(tlog_proof(0, [], NOTE)) == (0, [], NOTE)


@pytest.mark.requirement("LEDGER-113")
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 77", "index 077"),
        lambda text: text.replace("index 77", "index ٧٧"),
        lambda text: text.replace("index 77", "index +77"),
        lambda text: text.replace("index 77", "index -1"),
        lambda text: text.replace("index 77", "index 7_7"),
        lambda text: text.replace("index 77", "index " + "9" * 5000),
        lambda text: text.replace("index 77\n", ""),
        lambda text: text.replace("index 77\n", "index 77\nindex 77\n"),
        lambda text: text.replace("\n\n", "\nAAAA\n\n", 1),
        lambda text: text.replace("\n\n", "\n" + base64.b64encode(b"x" * 33).decode() + "\n\n", 1),
        lambda text: text.replace("\n\n", "\n" * 1, 1).replace("\n\n", "\n"),
        lambda text: "",
        lambda text: text[:30],
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_a_malformed_tlog_proof_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(ProofError):
        read_tlog_proof(change(tlog_proof(77, tree(MOST).inclusion(77), NOTE)))

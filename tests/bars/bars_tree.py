"""Bars of the tree: the root, its proofs, the audit, the witness."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.errors import ControlPlaneError, Rollback
from control_plane.ledger.audit import Verdict, verify
from control_plane.ledger.home import Home
from control_plane.ledger.merkle import Frontier, leaf_hash
from control_plane.ledger.notes import Checkpoint, Signer, Verifier
from control_plane.ledger.proofs import TileTree, root_from_inclusion
from control_plane.ledger.witness import Sighting, check_witness
from tests.bars.frame import Bar
from tests.ledger import reference, small

LEAVES = [b"leaf %d" % number for number in range(20)]
Root = Callable[[list[bytes]], bytes]
Include = Callable[[bytes, int, int, list[bytes]], bytes]
Audit = Callable[[Home], Verdict]
Demand = Callable[[Sighting, Verifier, int, TileTree], None]


def check_root_is_that_of_rfc_6962(root: Root) -> None:
    """For every size, over single appends and batches."""
    for size in range(len(LEAVES) + 1):
        assert root(LEAVES[:size]) == reference.root(LEAVES[:size])


def check_inclusion_is_proved_and_nothing_else(root_of: Include) -> None:
    """The right leaf at the right place leads to the root; another leaf, place or path does not."""
    size, whole = len(LEAVES), reference.root(LEAVES)
    for index in range(size):
        path, leaf = reference.inclusion(index, LEAVES), leaf_hash(LEAVES[index])
        assert root_of(leaf, index, size, path) == whole
        others = [
            (leaf_hash(b"another"), index, path),
            (leaf, (index + 1) % size, path),
            (leaf, index, [*path, leaf]),
            (leaf, index, path[:-1]),
            (leaf, index, path[::-1] if path != path[::-1] else [leaf]),
            (leaf, index, [sha256(path[0]).digest(), *path[1:]]),
        ]
        for other, place, proof in others:
            assert not leads_to(root_of, other, place, size, proof, whole)


def leads_to(root_of: Include, leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    try:
        return root_of(leaf, index, size, path) == root
    except ControlPlaneError:
        return False


TAMPERINGS = {
    "UPDATE stored_events SET state = CAST(replace(state, 'event', 'Event') AS BLOB) WHERE rowid = 57": (57, "changed"),
    "UPDATE stored_events SET topic = 'router.Noted' WHERE rowid = 3": (3, "changed"),
    "DELETE FROM stored_events WHERE rowid = 88": (88, "missing"),
    "DELETE FROM stored_events WHERE rowid > 90": (91, "truncated"),
}


def check_tampering_is_named_by_position(subject: tuple[Audit, Path]) -> None:
    """A log that nobody touched is fine; of one that somebody touched, the first bad event is named."""
    audit, folder = subject
    home = small.begin(folder / "home")
    small.grow(home, 100)
    assert audit(home).ok
    for number, (sql, (position, reason)) in enumerate(TAMPERINGS.items()):
        copy = small.copy(home, folder / f"copy-{number}")
        with small.tampering(copy) as connection:
            connection.execute(sql)
        verdict = audit(copy)
        assert not verdict.ok, sql
        assert (verdict.first_bad, verdict.reason) == (position, reason), sql


SIGNER = Signer("ledger", Ed25519PrivateKey.generate())


def tree_of(leaves: list[bytes]) -> TileTree:
    tiles = {(tile.level, tile.number): tile.hashes for tile in Frontier().extend(list(map(leaf_hash, leaves)))[1]}
    return TileTree(len(leaves), lambda level, number: tiles[level, number])


def sighting_of(leaves: list[bytes]) -> Sighting:
    checkpoint = Checkpoint("ledger", len(leaves), reference.root(leaves))
    return Sighting(str(SIGNER.verifier), SIGNER.note(checkpoint.text()))


def check_going_back_is_refused(demand: Demand) -> None:
    """Growth is fine; an older copy, another history and another key are not."""
    for size in range(1, len(LEAVES) + 1):
        demand(sighting_of(LEAVES[:size]), SIGNER.verifier, len(LEAVES), tree_of(LEAVES))
    seen = sighting_of(LEAVES[:12])
    other = [*LEAVES[:5], b"another", *LEAVES[6:]]
    refused = [
        (seen, SIGNER.verifier, LEAVES[:11]),
        (seen, SIGNER.verifier, other),
        (seen, SIGNER.verifier, other[:12]),
        (seen, Signer("ledger", Ed25519PrivateKey.generate()).verifier, LEAVES),
    ]
    for sighting, key, leaves in refused:
        try:
            demand(sighting, key, len(leaves), tree_of(leaves))
        except Rollback:
            continue
        raise AssertionError("the ledger went back, and nobody minded")


def duplicating_root(leaves: list[bytes]) -> bytes:
    """Fills a level up with its last node: two logs have one root."""
    nodes = [sha256(b"\0" + leaf).digest() for leaf in leaves] or [sha256().digest()]
    while len(nodes) > 1:
        nodes += nodes[-1:] * (len(nodes) % 2)
        pairs = zip(nodes[::2], nodes[1::2], strict=True)
        nodes = [sha256(b"\1" + left + right).digest() for left, right in pairs]
    return nodes[0]


def inclusion_without_the_length(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Believes any path that leads to the root of these leaves somehow."""
    whole = reference.root(LEAVES)
    leads = [root_from_inclusion(leaf, index, size, path[:-1])] if leaf in path else []
    return whole if whole in leads else root_from_inclusion(leaf, index, size, path)


def audit_of_notes_alone(home: Home) -> Verdict:
    """Looks at checkpoints and tiles, and never at a row."""
    with small.opened(home) as held:
        held.check()
        return Verdict(ok=True, events=held.backend.size(), position=held.backend.size(), root="")


def audit_one_off(home: Home) -> Verdict:
    verdict = verify(home)
    return verdict if verdict.first_bad is None else msgspec.structs.replace(verdict, first_bad=verdict.first_bad - 1)


def demand_of_sizes_alone(sighting: Sighting, key: Verifier, size: int, tree: TileTree) -> None:
    if sighting.root_key != str(key) or sighting.checkpoint().size > size:
        raise Rollback("an older copy")


BARS = [
    Bar(
        check_root_is_that_of_rfc_6962,
        real=lambda _: lambda leaves: Frontier().extend(list(map(leaf_hash, leaves)))[0].root(),
        null=lambda _: lambda leaves: bytes(32),
        planted={"fills up with the last node": lambda _: duplicating_root},
    ),
    Bar(
        check_inclusion_is_proved_and_nothing_else,
        real=lambda _: root_from_inclusion,
        null=lambda _: lambda leaf, index, size, path: reference.root(LEAVES),
        planted={"believes a longer path": lambda _: inclusion_without_the_length},
    ),
    Bar(
        check_tampering_is_named_by_position,
        real=lambda folder: (verify, folder),
        null=lambda folder: (lambda home: Verdict(ok=True, events=0, position=0, root=""), folder),
        planted={
            "never looks at a row": lambda folder: (audit_of_notes_alone, folder),
            "one off": lambda folder: (audit_one_off, folder),
        },
    ),
    Bar(
        check_going_back_is_refused,
        real=lambda _: check_witness,
        null=lambda _: lambda sighting, key, size, tree: None,
        planted={"compares sizes alone": lambda _: demand_of_sizes_alone},
    ),
]

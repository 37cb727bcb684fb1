"""A verifier of its own: the standard library and `cryptography`, written from the formats' descriptions alone.

As a program: `python independent.py EXPORT.jsonl CHECKPOINT VERIFIER_KEY` exits 0 when the export is what was signed.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """Whatever was shown does not hold."""


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaves_of(lines: Iterable[str]) -> list[bytes]:
    """The leaves of an export, each compared with what its line says in plain words."""
    leaves = []
    for expected, line in enumerate(lines, 1):
        said = json.loads(line)
        leaf = base64.b64decode(said["leaf"], validate=True)
        if said["position"] != expected:
            raise Refused(f"position {said['position']} where {expected} should be")
        stream, topic = said["stream"].encode(), said["topic"].encode()
        start = b"\x01" + len(stream).to_bytes(2, "big") + stream + said["version"].to_bytes(8, "big")
        start += len(topic).to_bytes(2, "big") + topic
        if not leaf.startswith(start):
            raise Refused(f"the leaf of position {expected} is of another event")
        state = leaf[len(start) :]
        try:
            data = json.loads(state)
        except ValueError:
            data = base64.b64encode(state).decode()
        if data != said["data"]:
            raise Refused(f"the leaf of position {expected} says something else")
        leaves.append(leaf)
    return leaves


def root_of(leaves: list[bytes]) -> bytes:
    """Level by level; a node without a right neighbour moves up as it is."""
    level = [sha(b"\x00" + leaf) for leaf in leaves]
    if not level:
        return sha(b"")
    while len(level) > 1:
        paired = [sha(b"\x01" + level[n] + level[n + 1]) for n in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def open_note(note: str, verifier_key: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint that this key signed."""
    name, key_hash, key = verifier_key.strip().split("+", 2)
    raw = base64.b64decode(key, validate=True)
    if raw[0] != 1 or sha(name.encode() + b"\n" + raw)[:4].hex() != key_hash:
        raise Refused("the verifier key is not one")
    body, blank, tail = note.rpartition("\n\n")
    text = body + "\n"
    for line in tail.splitlines() if blank else []:
        dash, signer, blob = line.split(" ")
        signature = base64.b64decode(blob, validate=True)
        if dash == "—" and signer == name and signature[:4].hex() == key_hash:
            try:
                Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature[4:], text.encode())
            except InvalidSignature:
                raise Refused("the signature does not hold") from None
            origin, size, root = text.split("\n")[:3]
            return origin, int(size), base64.b64decode(root, validate=True)
    raise Refused("the key did not sign this")


def check_proof(proof: str, leaf: bytes, verifier_key: str) -> None:
    """A tlog-proof shows that this leaf is in the tree of a signed checkpoint."""
    head, _, note = proof.partition("\n\n")
    kind, index_line, *hashes = head.split("\n")
    if kind != "c2sp.org/tlog-proof@v1":
        raise Refused("not a tlog-proof")
    index = int(index_line.removeprefix("index "))
    _, size, root = open_note(note, verifier_key)
    if index >= size:
        raise Refused("the index is outside of the tree")
    path = [base64.b64decode(line, validate=True) for line in hashes]
    if climbed(sha(b"\x00" + leaf), index, size, path) != root:
        raise Refused("the path does not lead to the signed root")


def climbed(node: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Up the tree of `size` leaves, as RFC 9162 (2.1.3.2) walks."""
    fn, sn = index, size - 1
    for sibling in path:
        if len(sibling) != 32 or sn == 0:
            raise Refused("the path does not fit the tree")
        if fn & 1 or fn == sn:
            node = sha(b"\x01" + sibling + node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha(b"\x01" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Refused("the path is too short")
    return node


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: list[bytes]) -> None:
    """The tree of `old` leaves is the beginning of the tree of `size` leaves, RFC 9162 (2.1.4.2)."""
    if not 0 < old < size or not path or any(len(node) != 32 for node in path):
        raise Refused("the proof does not fit the trees")
    nodes = list(path) if old & (old - 1) else [old_root, *path]
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            raise Refused("the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\x01" + node + fr), sha(b"\x01" + node + sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\x01" + sr + node)
        fn, sn = fn >> 1, sn >> 1
    if (fr, sr, sn) != (old_root, root, 0):
        raise Refused("the proof does not lead to both roots")


def check_export(lines: Iterable[str], checkpoint: str, verifier_key: str) -> int:
    """How many events an export holds, once it is exactly the log that the checkpoint was signed for."""
    leaves = leaves_of(lines)
    _, size, root = open_note(checkpoint, verifier_key)
    if len(leaves) != size or root_of(leaves) != root:
        raise Refused("the export is not the log that was signed")
    return size


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as export, open(sys.argv[2], encoding="utf-8") as signed:
        try:
            print(check_export(export, signed.read(), sys.argv[3]))
        except Refused as fault:
            sys.exit(str(fault))

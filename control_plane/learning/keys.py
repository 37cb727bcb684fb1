"""Agents' Ed25519 keys as they come in files, and the ids that envelopes name them by."""

import base64
import binascii
import re
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import BadInput
from ..ledger.notes import MalformedNote, Verifier

NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._@/-]{0,99}\Z")
_P = 2**255 - 19
# Points for which a signature can be made up that fits every message; no honest key is one of them.
_SMALL = {
    0,
    1,
    _P - 1,
    _P,
    _P + 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
}
_CURE = "give PEM, OpenSSH, a verifier key (name+hash+base64) or the 32 bytes in base64 or hex"


class BadKey(BadInput):
    """This is no Ed25519 public key, or one under which anybody could sign."""

    code = "learning.bad-key"


def key_id(public: bytes) -> str:
    """The same whatever the key is called: the SHA-256 of its 32 bytes."""
    return sha256(public).hexdigest()


def read_public(content: bytes) -> bytes:
    """The 32 bytes of a public key in any sensible form."""
    if b"PRIVATE KEY" in content:
        raise BadKey("this is a private key", why="only its owner should have it", cure="give the public key")
    public = _from_structure(content) or _from_text(content)
    if public is None:
        raise BadKey("not an Ed25519 public key", cure=_CURE)
    if int.from_bytes(public, "little") & ((1 << 255) - 1) in _SMALL:
        raise BadKey("this key would fit signatures that nobody made", cure="make a proper one")
    return public


def read_private(content: bytes) -> Ed25519PrivateKey:
    """A private key in PEM or OpenSSH form, or its 32 secret bytes in base64."""
    for load in (serialization.load_pem_private_key, serialization.load_ssh_private_key):
        try:
            key = load(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if isinstance(key, Ed25519PrivateKey):
            return key
    try:
        secret = base64.b64decode(content.strip(), validate=True)
        return Ed25519PrivateKey.from_private_bytes(secret)
    except ValueError:
        raise BadKey("not an Ed25519 private key", cure="make one with `control-plane learn key make FILE`") from None


def _from_structure(content: bytes) -> bytes | None:
    for load in (serialization.load_pem_public_key, serialization.load_ssh_public_key):
        try:
            key = load(content)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, Ed25519PublicKey):
            return key.public_bytes_raw()
    return None


def _from_text(content: bytes) -> bytes | None:
    if len(content) == 32:
        return content
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    try:
        return Verifier.parse(text).public
    except MalformedNote:
        pass
    try:
        raw = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == 32 else None

"""Agents' keys come in many files, and never come back once they were revoked."""

import base64
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from control_plane import ControlPlane
from control_plane.errors import BadInput
from control_plane.learning.keys import BadKey, key_id, read_private, read_public
from control_plane.learning.rules import KeyTaken, NoSuchKey
from control_plane.learning.signing import sign
from control_plane.ledger.notes import Signer
from control_plane.proving.forging import Forge
from tests.learning.conftest import Open, admit

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key()
RAW = PUBLIC.public_bytes_raw()


@pytest.mark.requirement("GOV-01")
@pytest.mark.parametrize(
    "content",
    [
        RAW,
        base64.b64encode(RAW) + b"\n",
        RAW.hex().encode(),
        PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" agent@host\n",
        f"{Signer('agent', KEY).verifier}\n".encode(),
    ],
    ids=["bytes", "base64", "hex", "pem", "openssh", "verifier key"],
)
def test_a_public_key_is_read_in_any_sensible_form(content: bytes):
    assert read_public(content) == RAW


SECRET = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
CURVE = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        b"\xff" * 40,
        base64.b64encode(b"\x01" * 31),
        SECRET,
        CURVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        bytes(32),
        b"\x01" + bytes(31),
        b"\xec" + b"\xff" * 30 + b"\x7f",
        b"\xed" + b"\xff" * 31,
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    ],
)
def test_what_is_no_key_of_anybody_is_refused(content: bytes):
    with pytest.raises(BadKey):
        read_public(content)


def test_a_key_of_small_order_would_indeed_fit_what_nobody_signed():
    """Why they are refused: with the neutral point as key, one signature fits every message."""
    neutral = serialization.load_der_public_key(bytes.fromhex("302a300506032b6570032100") + b"\x01" + bytes(31))
    neutral.verify(b"\x01" + bytes(63), b"anything")  # type: ignore[union-attr, call-arg]


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        base64.b64encode(KEY.private_bytes_raw()),
    ],
    ids=["pem", "openssh", "base64"],
)
def test_a_private_key_is_read_in_any_sensible_form(content: bytes):
    assert read_private(content).public_key() == PUBLIC


@pytest.mark.parametrize(
    "content", [b"", b"no key", CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
)
def test_what_is_no_private_key_is_refused(content: bytes):
    with pytest.raises(BadKey):
        read_private(content)


def test_a_key_is_admitted_once_and_never_after_it_was_revoked(plane: ControlPlane):
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    plane.learning.admit("agent", RAW)
    before = plane.ledger.size()
    plane.learning.admit("agent", RAW)
    assert plane.ledger.size() == before, "once is enough"
    for name, public in (("another", RAW), ("agent", other)):
        with pytest.raises(KeyTaken):
            plane.learning.admit(name, public)
    plane.learning.revoke("agent")
    with pytest.raises(KeyTaken):
        plane.learning.admit("agent", RAW)
    assert plane.learning.admit("agent", other).name == "agent"
    for name in ("nobody", key_id(RAW)):
        with pytest.raises(NoSuchKey):
            plane.learning.revoke(name)
    for name in ("", "two words", "x" * 200, "-x"):
        with pytest.raises(BadInput):
            plane.learning.admit(name, os.urandom(32))


@pytest.mark.requirement("GOV-01")
def test_revocation_holds_at_once_in_every_process(open_plane: Open, forge: Forge):
    plane, other = admit(open_plane(), forge), open_plane()
    assert other.learn(sign(forge.predicate(), forge.honest)).accepted == 1
    plane.learning.revoke("honest")
    assert other.learn(sign(forge.predicate(), forge.honest)).reasons == {"revoked_key": 1}
    assert other.learn(sign(forge.predicate(), forge.second)).accepted == 1


def test_an_envelope_may_name_its_key_as_it_is_called_here(plane: ControlPlane, forge: Forge):
    line = sign(forge.predicate(), forge.honest)
    assert plane.learn(line.replace(key_id(forge.honest.public_key().public_bytes_raw()).encode(), b"honest")).accepted


def test_the_pattern_that_is_pinned_must_exist(plane: ControlPlane):
    with pytest.raises(BadInput):
        plane.learning.pin("code.fix", "moody", actor="me")
    with pytest.raises(BadInput):
        plane.learning.pin("code\nfix", "wrong_tool", actor="me")
    plane.learning.pin("code.fix", "wrong_tool", actor="me")
    before = plane.ledger.size()
    plane.learning.pin("code.fix", "wrong_tool", actor="me")
    assert plane.ledger.size() == before
    assert plane.learning.state.core == {"code.fix": ["wrong_tool"]}

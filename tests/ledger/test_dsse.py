"""Envelopes: ours verify elsewhere, others' verify here, and nothing unsigned is ever read."""

import base64
import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib import dsse as theirs
from securesystemslib.signer import CryptoSigner, SSlibKey

from control_plane.errors import BadSignature, ControlPlaneError, KeyUnknown
from control_plane.ledger.dsse import PAYLOAD_TYPE, MalformedEnvelope, open_envelope, pae, seal, statement
from control_plane.ledger.notes import Signer, Verifier

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIGNER = Signer("agent.example", KEY)
OTHER = Signer("other.example", Ed25519PrivateKey.from_private_bytes(b"o" * 32))
PAYLOAD = statement("https://example/predicate/v1", {"kind": "a"}, {"subject": "00" * 32})
SEALED = seal(PAYLOAD, SIGNER)


def edited(**changes: Any) -> bytes:
    return json.dumps({**json.loads(SEALED), **changes}).encode()


def signed_with(**changes: Any) -> bytes:
    (signature,) = json.loads(SEALED)["signatures"]
    return edited(signatures=[{name: value for name, value in {**signature, **changes}.items() if value is not None}])


def sslib_key(signer: Signer) -> SSlibKey:
    keyid = signer.verifier.hint.hex()
    return SSlibKey(keyid, "ed25519", "ed25519", {"public": signer.verifier.public.hex()})


def test_the_bytes_that_are_signed_are_those_of_the_protocol() -> None:
    # The example of the protocol's own description.
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_sealed_statement_opens() -> None:
    assert open_envelope(SEALED, [SIGNER.verifier]) == PAYLOAD
    body = json.loads(PAYLOAD)
    assert (body["_type"], body["predicate"]) == ("https://in-toto.io/Statement/v1", {"kind": "a"})


def test_our_envelope_verifies_with_securesystemslib() -> None:
    # It takes its argument apart: give it one of its own.
    envelope = theirs.Envelope.from_dict(json.loads(SEALED))
    assert envelope.verify([sslib_key(SIGNER)], 1)
    with pytest.raises(Exception, match=r"[Tt]hreshold|verif"):
        theirs.Envelope.from_dict(json.loads(SEALED)).verify([sslib_key(OTHER)], 1)


def test_their_envelope_opens_here() -> None:
    envelope = theirs.Envelope(PAYLOAD, PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(KEY, sslib_key(SIGNER)))
    assert open_envelope(json.dumps(envelope.to_dict()).encode(), [SIGNER.verifier]) == PAYLOAD


@pytest.mark.requirement("LEDGER-112")
@pytest.mark.parametrize(
    "envelope",
    [
        edited(signatures=[]),
        edited(signatures=[{"sig": "", "keyid": ""}]),
        edited(signatures=[{"sig": ""}]),
        signed_with(sig=""),
        signed_with(sig="", keyid=None),
        signed_with(sig=base64.b64encode(bytes(64)).decode(), keyid=None),
    ],
)
def test_a_stripped_signature_is_refused_whatever_the_key_id_says(envelope: bytes) -> None:
    with pytest.raises((BadSignature, KeyUnknown)):
        open_envelope(envelope, [SIGNER.verifier])


def test_the_key_id_never_decides() -> None:
    for keyid in (None, "", "nonsense", OTHER.verifier.hint.hex()):
        assert open_envelope(signed_with(keyid=keyid), [OTHER.verifier, SIGNER.verifier]) == PAYLOAD
    with pytest.raises(KeyUnknown):
        open_envelope(signed_with(keyid=OTHER.verifier.hint.hex()), [OTHER.verifier])


@pytest.mark.requirement("LEDGER-114")
@pytest.mark.parametrize(
    "envelope",
    [
        edited(payload=base64.b64encode(PAYLOAD.replace(b'"a"', b'"b"')).decode()),
        edited(payload=""),
        seal(PAYLOAD, OTHER),
    ],
)
def test_another_payload_or_signer_is_refused(envelope: bytes) -> None:
    with pytest.raises(KeyUnknown):
        open_envelope(envelope, [SIGNER.verifier])


def test_a_signature_for_another_type_does_not_count() -> None:
    envelope = seal(PAYLOAD, SIGNER, payload_type="application/vnd.other+json")
    with pytest.raises(MalformedEnvelope, match="payload type"):
        open_envelope(envelope, [SIGNER.verifier])
    relabelled = json.dumps({**json.loads(envelope), "payloadType": PAYLOAD_TYPE}).encode()
    with pytest.raises(KeyUnknown):
        open_envelope(relabelled, [SIGNER.verifier])


def test_a_threshold_counts_keys_not_signatures_or_names() -> None:
    both = seal(PAYLOAD, SIGNER, OTHER)
    keys = [SIGNER.verifier, OTHER.verifier]
    assert open_envelope(both, keys, threshold=2) == PAYLOAD
    renamed = Verifier("renamed.example", SIGNER.verifier.public)
    for envelope, known in ((SEALED, keys), (seal(PAYLOAD, SIGNER, SIGNER), keys), (both, [SIGNER.verifier, renamed])):
        with pytest.raises(KeyUnknown):
            open_envelope(envelope, known, threshold=2)
    for threshold in (0, -1):
        with pytest.raises(KeyUnknown):
            open_envelope(SEALED, [OTHER.verifier], threshold=threshold)


def test_either_alphabet_of_base64_is_read_in_its_one_spelling() -> None:
    payload = b'{"text": "\xc3\xbf\xc3\xbe???>>>"}'
    sealed = json.loads(seal(payload, SIGNER))
    assert set(sealed["payload"]) & set("+/")
    url_safe = sealed["payload"].replace("+", "-").replace("/", "_")
    assert open_envelope(json.dumps({**sealed, "payload": url_safe}).encode(), [SIGNER.verifier]) == payload


MALFORMED = {
    "nothing": b"",
    "no json": b"{",
    "no object": b"[]",
    "null": b"null",
    "text behind": SEALED + b"x",
    "second object behind": SEALED + SEALED,
    "field twice": SEALED[:-1] + b',"payload":""}',
    "signatures twice": b'{"signatures":[],' + SEALED[1:],
    "no payload": json.dumps({**json.loads(SEALED), "payload": None}).encode(),
    "number as payload": edited(payload=7),
    "no type": edited(payloadType=None),
    "signatures not a list": edited(signatures={"sig": ""}),
    "signature not an object": edited(signatures=["x"]),
    "too many signatures": edited(signatures=json.loads(SEALED)["signatures"] * 101),
    "payload not base64": edited(payload="!"),
    "payload not ascii": edited(payload="é"),
    "payload with a line break": edited(payload=json.loads(SEALED)["payload"] + "\n"),
    "payload with loose bits": edited(payload="QR=="),
    "payload without padding": edited(payload="QQ"),
    "mixed alphabets": edited(payload="+_AA"),
    "signature not base64": signed_with(sig="!"),
    "deep": b"[" * 100_000,
    "not utf-8": b'{"payload":"\xff"}',
    "not a number": b'{"payload":NaN}',
}


@pytest.mark.parametrize("envelope", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_envelope_is_refused(envelope: bytes) -> None:
    with pytest.raises(MalformedEnvelope):
        open_envelope(envelope, [SIGNER.verifier])


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(SEALED) - 1), byte=st.integers(0, 255))
def test_no_changed_byte_lets_another_payload_through(place: int, byte: int) -> None:
    changed = SEALED[:place] + bytes([byte]) + SEALED[place + 1 :]
    try:
        # Only the key id, which nobody asks, and blanks may differ.
        assert open_envelope(changed, [SIGNER.verifier]) == PAYLOAD
    except ControlPlaneError as fault:
        assert fault.code in ("envelope.malformed", "key.unknown", "key.bad-signature")  # noqa: PT017


def test_a_statement_is_written_in_one_way() -> None:
    one = statement("p", {"b": 1, "a": 2}, {"s": "00"})
    assert one == statement("p", {"a": 2, "b": 1}, {"s": "00"})
    assert msgspec.json.decode(one)["subject"] == [{"name": "s", "digest": {"sha256": "00"}}]

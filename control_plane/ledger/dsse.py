"""DSSE 1.0.2 envelopes around in-toto Statements: the producer's own signature on records that bear authority."""

import base64
import json
from typing import Any

import msgspec

from ..errors import BadSignature, ControlPlaneError, KeyUnknown
from ..jsonc import once
from .notes import Signer, Verifier

PAYLOAD_TYPE = "application/vnd.in-toto+json"
# More than any honest envelope has.
MOST_SIGNATURES = 100
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


class MalformedEnvelope(ControlPlaneError):
    """This is no DSSE envelope."""

    code = "envelope.malformed"


class Signature(msgspec.Struct, frozen=True):
    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: they bind the type, so that one envelope can never be read as another."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def statement(predicate_type: str, predicate: Any, subject: dict[str, str]) -> bytes:
    """An in-toto Statement; `subject` maps names to their SHA-256 in hex."""
    subjects = [{"name": name, "digest": {"sha256": digest}} for name, digest in subject.items()]
    body = {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": predicate_type, "predicate": predicate}
    return msgspec.json.encode(body, order="sorted")


def seal(payload: bytes, *signers: Signer, payload_type: str = PAYLOAD_TYPE) -> bytes:
    message = pae(payload_type, payload)
    signatures = tuple(
        Signature(base64.b64encode(signer.sign(message)).decode(), signer.verifier.hint.hex()) for signer in signers
    )
    return msgspec.json.encode(Envelope(base64.b64encode(payload).decode(), payload_type, signatures))


def open_envelope(envelope: bytes, verifiers: list[Verifier], *, threshold: int = 1) -> bytes:
    """The payload, once `threshold` different known keys are seen to have signed it; parsed by nobody before that.

    The key id never decides: each signature is tried against each key. No signature is an error, never a pass.
    """
    sealed = _read(envelope)
    if sealed.payload_type != PAYLOAD_TYPE:
        raise MalformedEnvelope(f"the payload type is {sealed.payload_type[:80]!r}, not {PAYLOAD_TYPE}")
    payload, signatures = _decode(sealed.payload), [_decode(signature.sig) for signature in sealed.signatures]
    if not signatures:
        raise BadSignature("the envelope is not signed")
    message = pae(sealed.payload_type, payload)
    # One key under two names is one key.
    found = {verifier.public for verifier in verifiers if any(_holds(verifier, message, sig) for sig in signatures)}
    if len(found) < max(threshold, 1):
        raise KeyUnknown(f"{len(found)} of the {max(threshold, 1)} signatures asked for are by known keys")
    return payload


def _read(envelope: bytes) -> Envelope:
    try:
        # The fast decoder takes the last of two fields of one name, others the first: neither is what was meant.
        sealed = msgspec.convert(json.loads(envelope, object_pairs_hook=once), Envelope)
    except (ValueError, RecursionError, msgspec.ValidationError) as fault:
        raise MalformedEnvelope("not a DSSE envelope", why=str(fault)) from None
    if len(sealed.signatures) > MOST_SIGNATURES:
        raise MalformedEnvelope(f"an envelope has {MOST_SIGNATURES} signatures at most")
    return sealed


def _decode(text: str) -> bytes:
    """Standard or URL-safe base64; two texts never decode to the same bytes."""
    alphabet = b"-_" if "-" in text or "_" in text else b"+/"
    try:
        raw = base64.b64decode(text, alphabet, validate=True)
    except ValueError as fault:
        raise MalformedEnvelope("not base64", why=str(fault)) from None
    if base64.b64encode(raw, alphabet).decode() != text:
        raise MalformedEnvelope("not canonical base64")
    return raw


def _holds(verifier: Verifier, message: bytes, signature: bytes) -> bool:
    try:
        verifier.verify(message, signature)
    except BadSignature:
        return False
    return True

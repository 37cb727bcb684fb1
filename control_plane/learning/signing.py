"""How an agent makes a record: a predicate becomes a statement, and its own key signs the envelope."""

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..ledger.dsse import PAYLOAD_TYPE, pae, statement
from .keys import key_id
from .record import PREDICATE_TYPE


def sign(predicate: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """One line, ready for `learn ingest`."""
    return sign_payload(payload_of(predicate), key)


def payload_of(predicate: Mapping[str, Any]) -> bytes:
    digest = sha256(msgspec.json.encode(predicate, order="sorted")).hexdigest()
    return statement(PREDICATE_TYPE, dict(predicate), {"learning-record": digest})


def sign_payload(payload: bytes, key: Ed25519PrivateKey, payload_type: str = PAYLOAD_TYPE) -> bytes:
    signature = {
        "sig": base64.b64encode(key.sign(pae(payload_type, payload))).decode(),
        "keyid": key_id(key.public_key().public_bytes_raw()),
    }
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [signature],
    }
    return msgspec.json.encode(envelope)

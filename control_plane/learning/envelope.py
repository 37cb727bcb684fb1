"""The envelope of a record, read strictly: what two readers could understand in two ways is understood by nobody.

One JSON line with exactly `payload`, `payloadType` and one signature; no field twice, no unknown field, no escape,
no control character, nothing behind the last brace; standard base64 in its one canonical form.
"""

import binascii
import json
from typing import Any, NamedTuple

import msgspec

from ..jsonc import no_number, once
from ..ledger.dsse import PAYLOAD_TYPE
from .reasons import Reason

LONGEST = 64 * 1024
_FIELDS = frozenset(("payload", "payloadType", "signatures"))
_SIGNATURE_BYTES = 64


class Sealed(NamedTuple):
    """What came in; `signature` is None for a record that nobody signed."""

    payload: bytes
    key_id: str = ""
    signature: bytes | None = None


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sig: str
    keyid: str = ""


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...] = ()


_decode = msgspec.json.Decoder(_Envelope).decode
_parse = json.JSONDecoder(object_pairs_hook=once, parse_constant=no_number).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (ValueError, RecursionError, msgspec.MsgspecError)


def read(line: object) -> Sealed | Reason:
    """What the line says, or why it says nothing; never raises."""
    raw = as_bytes(line)
    # A line is an object from its first to its last byte.
    if raw is None or len(raw) > LONGEST or raw[:1] != b"{" or raw[-1:] != b"}":
        return Reason.MALFORMED
    try:
        found = _decode(raw)
        # As compact as we write it: then no field can stand there twice.
        if _encode(found) == raw:
            return _opened(found)
    except _UNREADABLE:
        pass
    return _read_slowly(raw)


def as_bytes(line: object) -> bytes | None:
    if isinstance(line, str):
        try:
            return line.encode()
        except UnicodeEncodeError:
            return None
    return bytes(line) if isinstance(line, bytes | bytearray | memoryview) else None


def parse(text: bytes) -> Any:
    """JSON in which no field stands twice; raises ValueError or RecursionError."""
    return _parse(text.decode())


def from_base64(text: str) -> bytes | None:
    """Standard base64 in its one canonical form."""
    try:
        raw = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        return None
    return raw if binascii.b2a_base64(raw, newline=False).decode() == text else None


def _read_slowly(raw: bytes) -> Sealed | Reason:
    """Other producers put spaces between, or another order; and some sign nothing."""
    try:
        fields = parse(raw)
    except _UNREADABLE:
        return Reason.MALFORMED
    if not fields.keys() & _FIELDS:
        return Sealed(raw)
    if b"\\" in raw or any(byte < 0x20 for byte in raw):
        return Reason.MALFORMED
    try:
        return _opened(msgspec.convert(fields, _Envelope))
    except _UNREADABLE:
        return Reason.MALFORMED


def _opened(found: _Envelope) -> Sealed | Reason:
    payload = from_base64(found.payload)
    if payload is None or len(found.signatures) > 1:
        return Reason.MALFORMED
    if found.payload_type != PAYLOAD_TYPE:
        return Reason.SCHEMA_UNKNOWN
    if not found.signatures:
        return Sealed(payload)
    signature = from_base64(found.signatures[0].sig)
    if signature is None:
        return Reason.MALFORMED
    if len(signature) != _SIGNATURE_BYTES:
        return Reason.INVALID_SIGNATURE
    return Sealed(payload, found.signatures[0].keyid, signature)

"""Learning records, true ones and every way to falsify one that we could think of; all of it follows from a seed."""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..learning.keys import key_id
from ..learning.patterns import ANTI_PATTERNS, POSITIVE_PATTERNS
from ..learning.replay import AHEAD, WINDOW
from ..learning.signing import payload_of, sign, sign_payload

_ORDER = 2**252 + 27742317777372353535851937790883648493
MALFORMED, SCHEMA, UNSIGNED = "malformed", "schema_unknown", "unsigned_event"
UNKNOWN, REVOKED, INVALID = "unknown_key", "revoked_key", "invalid_signature"
TRACELESS, EXPIRED, REPLAYED = "missing_trace_id", "expired", "replayed"


class Forge:
    """Three agents: `honest` and `second` are admitted, `fallen` was revoked; a fourth is a stranger."""

    def __init__(self, seed: int, now: float) -> None:
        self.chance, self.now = Random(seed), now  # noqa: S311 - the same falsifications, again and again
        self.honest, self.second, self.fallen, self.stranger = (
            Ed25519PrivateKey.from_private_bytes(self.chance.randbytes(32)) for _ in range(4)
        )
        self.made = 0

    def predicate(self, **changes: Any) -> dict[str, Any]:
        self.made += 1
        pattern = self.chance.choice([*ANTI_PATTERNS, *POSITIVE_PATTERNS])
        return {
            "kind": "anti-pattern" if pattern in ANTI_PATTERNS else "positive-pattern",
            "pattern": pattern,
            "severity": self.chance.choice(["critical", "high", "medium", "low", "info"]),
            "task_type": f"code.{self.chance.randrange(20)}",
            "session": f"session-{self.chance.randrange(500)}",
            "trace_id": f"trace-{self.made}",
            "ts": round(self.now - self.chance.random() * 3600.0, 6),
            **changes,
        }

    def valid(self) -> bytes:
        return sign(self.predicate(), self.honest if self.chance.random() < 0.7 else self.second)

    def falsified(self, name: str) -> object:
        return FALSIFICATIONS[name].make(self)


class Falsification(NamedTuple):
    """How it is made, and the reasons that may be given for refusing it."""

    make: Callable[[Forge], object]
    reasons: frozenset[str]


def _on_fields(change: Callable[[Forge, dict[str, Any]], None]) -> Callable[[Forge], bytes]:
    """A true record whose envelope was changed afterwards."""

    def make(forge: Forge) -> bytes:
        fields = json.loads(forge.valid())
        change(forge, fields)
        return json.dumps(fields).encode()

    return make


def _on_signature(change: Callable[[Forge, bytes], bytes]) -> Callable[[Forge], bytes]:
    def apply(forge: Forge, fields: dict[str, Any]) -> None:
        first = fields["signatures"][0]
        first["sig"] = _encode(change(forge, base64.b64decode(first["sig"])))

    return _on_fields(apply)


def _on_line(change: Callable[[Forge, bytes], bytes]) -> Callable[[Forge], bytes]:
    return lambda forge: change(forge, forge.valid())


def _signed(**changes: Any) -> Callable[[Forge], bytes]:
    """A predicate that is wrong in itself, properly signed."""
    return lambda forge: sign(forge.predicate(**changes), forge.honest)


def _payload(make: Callable[[Forge], bytes]) -> Callable[[Forge], bytes]:
    """A payload that is wrong in itself, properly signed."""
    return lambda forge: sign_payload(make(forge), forge.honest)


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bit(forge: Forge, raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[forge.chance.randrange(len(raw))] ^= 1 << forge.chance.randrange(8)
    return bytes(changed)


def _other_byte(forge: Forge, raw: bytes) -> bytes:
    at = forge.chance.randrange(len(raw))
    other = forge.chance.choice([byte for byte in range(256) if byte != raw[at]])
    return raw[:at] + bytes([other]) + raw[at + 1 :]


def _one_more_byte(forge: Forge, raw: bytes) -> bytes:
    at = forge.chance.randrange(len(raw) + 1)
    # A space between two tokens would change nothing.
    return raw[:at] + bytes([forge.chance.choice([byte for byte in range(256) if byte != 0x20])]) + raw[at:]


def _set(field: str, value: Any) -> Callable[[Forge, dict[str, Any]], None]:
    def apply(_: Forge, fields: dict[str, Any]) -> None:
        fields[field] = value

    return apply


def _sign_as(value: Callable[[Forge], Any]) -> Callable[[Forge, dict[str, Any]], None]:
    def apply(forge: Forge, fields: dict[str, Any]) -> None:
        fields["signatures"][0]["keyid"] = value(forge)

    return apply


def _other_agent(forge: Forge, fields: dict[str, Any]) -> None:
    mine = fields["signatures"][0]["keyid"]
    fields["signatures"][0]["keyid"] = next(one for one in (_id(forge.honest), _id(forge.second)) if one != mine)


def _id(key: Ed25519PrivateKey) -> str:
    return key_id(key.public_key().public_bytes_raw())


def _without(name: str) -> Callable[[Forge, dict[str, Any]], None]:
    return lambda _, fields: fields.pop(name) and None


def _in_text(field: str, change: Callable[[Forge, str], str]) -> Callable[[Forge], bytes]:
    """The base64 of the payload or of the signature, spoilt as a text."""

    def apply(forge: Forge, fields: dict[str, Any]) -> None:
        where = fields if field == "payload" else fields["signatures"][0]
        where[field] = change(forge, where[field])

    return _on_fields(apply)


def _url_safe(_: Forge, text: str) -> str:
    safe = text.replace("+", "-").replace("/", "_")
    return safe if safe != text else f"-{text[1:]}"


def _broken_by(separator: str) -> Callable[[Forge, str], str]:
    def change(forge: Forge, text: str) -> str:
        at = forge.chance.randrange(len(text) + 1)
        return text[:at] + separator + text[at:]

    return change


def _not_canonical(_: Forge, text: str) -> str:
    """The last character carries bits that no byte takes up."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    return body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1] + text[len(body) :] if body != text else f"{text}=="


def _moved(_: Forge, signature: bytes) -> bytes:
    """The same point, another number: schemes that do not look take it for a second signature."""
    scalar = int.from_bytes(signature[32:], "little") + _ORDER
    return signature[:32] + scalar.to_bytes(32, "little")


def _doubled(name: str) -> Callable[[Forge, bytes], bytes]:
    def change(forge: Forge, line: bytes) -> bytes:
        fields = json.loads(line)
        other = json.loads(forge.valid())[name] if forge.chance.random() < 0.5 else fields[name]
        again = f'"{name}":{json.dumps(other)}'.encode()
        return b"{" + again + b"," + line[1:] if forge.chance.random() < 0.5 else line[:-1] + b"," + again + b"}"

    return change


def _doubled_inside(forge: Forge) -> bytes:
    payload = payload_of(forge.predicate())
    return payload.replace(b'"severity":', b'"severity":"info","severity":', 1)


def _statement(**changes: Any) -> Callable[[Forge], bytes]:
    def make(forge: Forge) -> bytes:
        return json.dumps({**json.loads(payload_of(forge.predicate())), **changes}).encode()

    return make


def _case(make: Callable[[Forge], object], *reasons: str) -> Falsification:
    return Falsification(make, frozenset(reasons))


FALSIFICATIONS: dict[str, Falsification] = {
    "signature: one bit": _case(_on_signature(_bit), INVALID),
    "signature: cut": _case(_on_signature(lambda _, raw: raw[:-1]), INVALID),
    "signature: longer": _case(_on_signature(lambda _, raw: raw + b"\0"), INVALID),
    "signature: zeros": _case(_on_signature(lambda *_: bytes(64)), INVALID),
    "signature: empty": _case(_on_signature(lambda *_: b""), INVALID),
    "signature: the same point again": _case(_on_signature(_moved), INVALID),
    "signature: of another record": _case(
        _on_signature(lambda forge, _: base64.b64decode(json.loads(forge.valid())["signatures"][0]["sig"])), INVALID
    ),
    "signature: none": _case(_on_fields(_set("signatures", [])), UNSIGNED),
    "signature: null": _case(_on_fields(_set("signatures", None)), MALFORMED),
    "signature: left out": _case(_on_fields(_without("signatures")), UNSIGNED),
    "signature: two": _case(
        _on_fields(lambda _, fields: fields["signatures"].append(fields["signatures"][0])), MALFORMED
    ),
    "signature: two, the first a stranger's": _case(
        _on_fields(lambda _, fields: fields["signatures"].insert(0, {"sig": "AA==", "keyid": "x"})), MALFORMED
    ),
    "payload: one bit": _case(
        _in_text("payload", lambda forge, text: _encode(_bit(forge, base64.b64decode(text)))), INVALID
    ),
    "payload: of another record": _case(
        _in_text("payload", lambda forge, _: json.loads(forge.valid())["payload"]), INVALID
    ),
    "payload: spaces inside": _case(
        _in_text("payload", lambda _, text: _encode(json.dumps(json.loads(base64.b64decode(text))).encode())), INVALID
    ),
    "payload: empty": _case(_on_fields(_set("payload", "")), INVALID),
    "payload: a number": _case(_on_fields(_set("payload", 7)), MALFORMED),
    "payload: left out": _case(_on_fields(_without("payload")), MALFORMED),
    "type: another": _case(_on_fields(_set("payloadType", "application/json")), SCHEMA),
    "type: in capitals": _case(_on_fields(_set("payloadType", "application/vnd.in-toto+JSON")), SCHEMA),
    "type: empty": _case(_on_fields(_set("payloadType", "")), SCHEMA),
    "type: left out": _case(_on_fields(_without("payloadType")), MALFORMED),
    "type: signed as another": _case(
        lambda forge: sign_payload(payload_of(forge.predicate()), forge.honest, "text/plain"), SCHEMA
    ),
    "key id: random": _case(_on_fields(_sign_as(lambda forge: forge.chance.randbytes(32).hex())), UNKNOWN),
    "key id: of another agent": _case(_on_fields(_other_agent), INVALID),
    "key id: of a revoked key": _case(_on_fields(_sign_as(lambda forge: _id(forge.fallen))), REVOKED),
    "key id: in capitals": _case(_on_fields(_sign_as(lambda forge: _id(forge.honest).upper())), UNKNOWN),
    "key id: a part": _case(_on_fields(_sign_as(lambda forge: _id(forge.honest)[:-1])), UNKNOWN),
    "key id: empty": _case(_on_fields(_sign_as(lambda _: "")), UNKNOWN),
    "key id: null": _case(_on_fields(_sign_as(lambda _: None)), MALFORMED),
    "key id: left out": _case(_on_fields(lambda _, fields: fields["signatures"][0].pop("keyid") and None), UNKNOWN),
    "base64: URL-safe signature": _case(_in_text("sig", _url_safe), MALFORMED),
    "base64: URL-safe payload": _case(_in_text("payload", _url_safe), MALFORMED),
    "base64: broken line": _case(_in_text("sig", _broken_by("\n")), MALFORMED),
    "base64: space": _case(_in_text("payload", _broken_by(" ")), MALFORMED),
    "base64: foreign character": _case(_in_text("sig", _broken_by("ä")), MALFORMED),
    "base64: no padding": _case(_in_text("sig", lambda _, text: text.rstrip("=")), MALFORMED),
    "base64: not canonical": _case(_in_text("sig", _not_canonical), MALFORMED),
    "twice: payload": _case(_on_line(_doubled("payload")), MALFORMED),
    "twice: payloadType": _case(_on_line(_doubled("payloadType")), MALFORMED),
    "twice: signatures": _case(_on_line(_doubled("signatures")), MALFORMED),
    "twice: inside the payload": _case(_payload(_doubled_inside), MALFORMED),
    "unknown field": _case(_on_fields(_set("note", "x")), MALFORMED),
    "unknown field of the signature": _case(
        _on_fields(lambda _, fields: fields["signatures"][0].update(cert="x")), MALFORMED
    ),
    "line: another byte": _case(_on_line(_other_byte), MALFORMED, SCHEMA, UNKNOWN, INVALID, UNSIGNED),
    "line: one more byte": _case(_on_line(_one_more_byte), MALFORMED, SCHEMA, UNKNOWN, INVALID, UNSIGNED),
    "line: cut": _case(_on_line(lambda forge, line: line[: forge.chance.randrange(len(line))]), MALFORMED),
    "line: something behind": _case(
        _on_line(lambda forge, line: line + forge.chance.choice([b" ", b"\n", b"\0", b"{}", b"x"])), MALFORMED
    ),
    "line: something before": _case(
        _on_line(lambda forge, line: forge.chance.choice([b" ", b"\xef\xbb\xbf", b"\0", b"[]"]) + line), MALFORMED
    ),
    "line: escaped": _case(_on_line(lambda _, line: line.replace(b"payload", b"p\\u0061yload", 1)), MALFORMED),
    "line: noise": _case(lambda forge: forge.chance.randbytes(forge.chance.randrange(200)), MALFORMED),
    "line: deep": _case(lambda _: b'{"payload":' * 3000 + b"1" + b"}" * 3000, MALFORMED),
    "line: endless": _case(lambda _: b'{"payload":"' + b"A" * 70_000 + b'"}', MALFORMED),
    "line: half a character": _case(lambda _: '{"payload":"\ud800"}', MALFORMED),
    "line: not even text": _case(lambda forge: forge.chance.choice([None, 7, [], {}, 1.5]), MALFORMED),
    "unsigned: the predicate alone": _case(lambda forge: json.dumps(forge.predicate()).encode(), UNSIGNED),
    "unsigned: the statement alone": _case(lambda forge: payload_of(forge.predicate()), UNSIGNED),
    "a stranger's": _case(lambda forge: sign(forge.predicate(), forge.stranger), UNKNOWN),
    "of a revoked key": _case(lambda forge: sign(forge.predicate(), forge.fallen), REVOKED),
    "too old": _case(
        lambda forge: sign(forge.predicate(ts=forge.now - WINDOW - forge.chance.random()), forge.honest), EXPIRED
    ),
    "not yet": _case(
        lambda forge: sign(forge.predicate(ts=forge.now + AHEAD + 1.0 + forge.chance.random()), forge.honest), EXPIRED
    ),
    "no trace id": _case(lambda forge: sign(_untraced(forge), forge.honest), TRACELESS),
    "empty trace id": _case(_signed(trace_id=""), TRACELESS),
    "null trace id": _case(_signed(trace_id=None), TRACELESS),
    "predicate: unknown kind": _case(_signed(kind="rumour"), MALFORMED),
    "predicate: unknown pattern": _case(_signed(pattern="moody"), MALFORMED),
    "predicate: unknown severity": _case(_signed(severity="worst"), MALFORMED),
    "predicate: no time": _case(_signed(ts=None), MALFORMED),
    "predicate: a time without its zone": _case(_signed(ts="2026-01-01T00:00:00"), MALFORMED),
    "predicate: an endless time": _case(_signed(ts=10**300), MALFORMED),
    "predicate: a number for a name": _case(_signed(task_type=7), MALFORMED),
    "predicate: prose for a name": _case(_signed(session="please mend this"), MALFORMED),
    "predicate: a list": _case(_payload(_statement(predicate=[])), MALFORMED),
    "payload: not JSON": _case(_payload(lambda forge: forge.chance.randbytes(40)), MALFORMED),
    "payload: nothing": _case(_payload(lambda _: b""), MALFORMED),
    "payload: no number": _case(_payload(lambda _: b'{"predicate": NaN}'), MALFORMED),
    "payload: deep": _case(_payload(lambda _: b"[" * 20_000), MALFORMED),
    "statement: of another type": _case(_payload(_statement(predicateType="https://example.org/other/v1")), SCHEMA),
    "statement: of a later version": _case(
        _payload(_statement(predicateType="https://control-plane.dev/learning-record/v2")), SCHEMA
    ),
    "statement: not in-toto": _case(_payload(_statement(_type="https://in-toto.io/Statement/v0.1")), SCHEMA),
}


def _untraced(forge: Forge) -> dict[str, Any]:
    predicate = forge.predicate()
    del predicate["trace_id"]
    return predicate

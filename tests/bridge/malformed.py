"""Payloads that are wrong for sure, made from right ones by a seeded chance."""

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from control_plane.bridge.requests import REQUESTS

WRONG = (True, 3.5, -1, 10**40, [], [1], {"a": 1}, [[]], {"": None}, "", " ", "\u0000", "x" * 200_000, "é" * 5)
NO_JSON = (
    b"", b"{", b"}", b"[]", b"null", b"1", b'"x"', b"{}x", b"\xff\xfe", b'{"thread_id": NaN}', b"[" * 100_000,
    b"\x00" * 50,
    b'{"thread_id": "' + b"\xc3\x28" + b'"}', b'{"thread_id"', b"true", b'{"thread_id": "\\ud800"}', b"{'a': 1}",
)  # fmt: skip


def malformed(valid: dict[str, dict[str, Any]], chance: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    methods, made = list(valid), 0
    makers = (_broken, _missing, _cut, _typed, _deep)
    while made < count:
        method = chance.choice(methods)
        raw = chance.choice(makers)(method, dict(valid[method]), chance)
        if raw is not None:
            made += 1
            yield method, raw


def _broken(_: str, __: dict[str, Any], chance: random.Random) -> bytes:
    return chance.choice(NO_JSON)


def _missing(method: str, asked: dict[str, Any], chance: random.Random) -> bytes | None:
    required = [field.name for field in msgspec.structs.fields(REQUESTS[method]) if field.required]
    del asked[chance.choice(required)]
    return json.dumps(asked).encode()


def _cut(_: str, asked: dict[str, Any], chance: random.Random) -> bytes:
    raw = json.dumps(asked).encode()
    return raw[: chance.randrange(len(raw))]


def _typed(method: str, asked: dict[str, Any], chance: random.Random) -> bytes | None:
    """A value that its field does not take; one that happens to fit is left out."""
    field = chance.choice(msgspec.structs.fields(REQUESTS[method])).name
    value = chance.choice(WRONG)
    if _may_fit(field, value):
        return None
    return json.dumps(asked | {field: value}).encode()


def _deep(_: str, asked: dict[str, Any], chance: random.Random) -> bytes:
    raw = json.dumps(asked).encode()[:-1]
    depth = chance.choice((5_000, 50_000))
    return (
        raw
        + b', "metadata": '
        + b'{"a":' * depth
        + b"1"
        + b"}" * depth
        + b', "title": 7, "thread_id": 7, "session_id": 7}'
    )


def _may_fit(field: str, value: object) -> bool:
    if field == "resumable" and isinstance(value, bool):
        return True
    if field == "metadata":
        return isinstance(value, dict)
    if isinstance(value, str):
        # Names are looked up before they are judged: an unknown thread is not malformed, a long one is.
        short = value in (" ", "\u0000", "é" * 5)
        if field in ("thread_id", "target_agent_id", "agent_id", "created_by", "in_reply_to", "last_acked_message_id"):
            return short
        return field in ("body", "reason", "title", "trigger_prompt", "session_id", "runtime", "workspace_id",
                         "idempotency_key") and value in ("é" * 5, "\u0000", " ")  # fmt: skip
    if isinstance(value, list) and field in ("participants", "to") and value == []:
        return field == "to"
    return False

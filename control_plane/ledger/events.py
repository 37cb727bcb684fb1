"""What every fact has in common, and the list of facts that may be stored or read.

A fact is a frozen struct with a `TOPIC`; its version is the struct's tag and lies in the stored state as `v`.
A new shape is a new version: raise `tag`, and give the class an `upcast_v1_v2(state)` for each step.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import msgspec

from ..errors import BadEvent, UnknownTopic


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1, gc=False):
    """A fact: past tense, never changed. `at` is the wall time that its writer was given."""

    TOPIC: ClassVar[str] = ""
    at: float


class Catalogue:
    """The allow-list: only what is listed here is decoded; a stored topic never names code to import."""

    def __init__(self, types: Iterable[type[Event]]) -> None:
        self._types: dict[str, type[Event]] = {}
        self._decoders: dict[str, msgspec.json.Decoder[Event]] = {}
        for kind in types:
            if not kind.TOPIC or kind.TOPIC in self._types:
                raise BadEvent(f"{kind.__qualname__} needs a topic of its own, not {kind.TOPIC!r}")
            self._types[kind.TOPIC] = kind
            self._decoders[kind.TOPIC] = msgspec.json.Decoder(kind)
        self._encode = msgspec.json.Encoder().encode

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._types.values())

    def __contains__(self, topic: object) -> bool:
        return topic in self._types

    def encode(self, event: Event) -> bytes:
        if type(event) is not self._types.get(event.TOPIC):
            raise UnknownTopic(f"{type(event).__qualname__} is not a listed event")
        return self._encode(event)

    def decode(self, topic: str, state: bytes) -> Event:
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownTopic(f"no event is listed under {topic!r}", cure="a newer control plane may have written it")
        try:
            return decoder.decode(state)
        except msgspec.ValidationError as fault:
            return self._upcast(topic, state, fault)
        except msgspec.DecodeError as fault:
            raise BadEvent(f"an event of {topic} cannot be read", why=str(fault)) from None

    def _upcast(self, topic: str, state: bytes, fault: Exception) -> Event:
        kind = self._types[topic]
        read = msgspec.json.decode(state)
        old: dict[str, Any] = read if isinstance(read, dict) else {}
        current, version = version_of(kind), old.get("v")
        if not isinstance(version, int) or not 0 < version < current:
            raise BadEvent(f"an event of {topic}, version {version}, cannot be read", why=str(fault)) from None
        try:
            for step in range(version, current):
                getattr(kind, f"upcast_v{step}_v{step + 1}")(old)
            return msgspec.convert(old | {"v": current}, kind)
        except (msgspec.ValidationError, LookupError, TypeError, ValueError, AttributeError) as after:
            raise BadEvent(f"an event of {topic}, version {version}, cannot be upcast", why=repr(after)) from None


def version_of(kind: type[Event]) -> int:
    tag = kind.__struct_config__.tag
    assert isinstance(tag, int)
    return tag

"""Encrypted states that decrypt only where they were written.

The library's cipher authenticates a state but not its place: swapped rows would decrypt. So the place goes inside.
"""

from hashlib import sha256

from eventsourcing.domain import DomainEventProtocol, TAggregateID
from eventsourcing.persistence import (
    Cipher,
    Compressor,
    Mapper,
    MapperDeserialisationError,
    StoredEvent,
    Transcoder,
)

from ..ledger.leaf import leaf_bytes
from ..ledger.stored import stream_of

_DIGEST = 32


class BindingMapper(Mapper[TAggregateID]):
    def __init__(
        self, transcoder: Transcoder, compressor: Compressor | None = None, cipher: Cipher | None = None
    ) -> None:
        super().__init__(transcoder, compressor, cipher)
        self._plain = Mapper[TAggregateID](transcoder, compressor)

    def to_stored_event(self, domain_event: DomainEventProtocol[TAggregateID]) -> StoredEvent:
        stored = self._plain.to_stored_event(domain_event)
        return _with_state(stored, self.cipher.encrypt(_place(stored) + stored.state)) if self.cipher else stored

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[TAggregateID]:
        if self.cipher is None:
            return self._plain.to_domain_event(stored_event)
        # Before the topic is resolved: what fails here names no code to import.
        try:
            opened = self.cipher.decrypt(stored_event.state)
        except Exception as fault:
            raise MapperDeserialisationError(f"{_name(stored_event)} cannot be decrypted: {fault}") from fault
        if opened[:_DIGEST] != _place(stored_event):
            raise MapperDeserialisationError(f"{_name(stored_event)} was encrypted for another place in the log")
        return self._plain.to_domain_event(_with_state(stored_event, opened[_DIGEST:]))


def _place(event: StoredEvent) -> bytes:
    return sha256(leaf_bytes(stream_of(event.originator_id), event.originator_version, event.topic, b"")).digest()


def _with_state(event: StoredEvent, state: bytes) -> StoredEvent:
    return StoredEvent(event.originator_id, event.originator_version, event.topic, state)


def _name(event: StoredEvent) -> str:
    return f"version {event.originator_version} of {event.originator_id}"

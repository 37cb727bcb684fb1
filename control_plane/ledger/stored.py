"""The library's stored event as a leaf of the tree."""

from uuid import UUID

from eventsourcing.persistence import StoredEvent

from .leaf import leaf_bytes
from .merkle import leaf_hash


def stream_of(originator_id: UUID | str) -> str:
    """A stream's name as it is signed, whichever type its database keeps it in."""
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id


def stored_leaf_hash(event: StoredEvent) -> bytes:
    stream = stream_of(event.originator_id)
    return leaf_hash(leaf_bytes(stream, event.originator_version, event.topic, event.state))

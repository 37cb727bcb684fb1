"""Signed recorders that keep everything in memory, for tests."""

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.popo import POPOApplicationRecorder, POPOProcessRecorder

from .merkle import Tile
from .sealing import Authority, Sealer
from .stored import stored_leaf_hash


class MemoryTree:
    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.note: str | None = None

    def last_note(self) -> str | None:
        return self.note

    def tile(self, level: int, index: int) -> bytes:
        return self.tiles.get((level, index), b"")

    def keys_changed(self) -> int:
        return 0

    def put(self, tiles: list[Tile], size: int, note: str) -> None:  # noqa: ARG002 - only the head is kept
        self.tiles.update({(level, number): hashes for level, number, hashes in tiles})
        self.note = note


class SignedMemoryApplicationRecorder(POPOApplicationRecorder):
    """Stores what the library gives it, and signs it under the same lock."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.tree = MemoryTree()
        self._sealer = Sealer(authority)

    def _update_table(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        head = self._sealer.head(self.tree)
        positions = super()._update_table(stored_events, **kwargs)
        if stored_events:
            self._sealer.seal(self.tree, head, [stored_leaf_hash(event) for event in stored_events])
        return positions


class SignedMemoryProcessRecorder(SignedMemoryApplicationRecorder, POPOProcessRecorder):
    """Signed events and tracking under one lock."""

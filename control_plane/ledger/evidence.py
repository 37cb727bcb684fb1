"""The stored log as evidence: read as bytes, believed in nothing, never decoded by what it says of itself."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from .leaf import FORMAT
from .merkle import leaf_hash


class RawRow(NamedTuple):
    """A row whose columns may hold anything."""

    position: Any
    stream: Any
    version: Any
    topic: Any
    state: Any


class Evidence(Protocol):
    """What an auditor asks of a store."""

    def notes(self) -> list[tuple[Any, Any]]:
        """Every kept checkpoint: the size it is filed under, and its note."""

    def tile(self, level: int, number: int) -> bytes: ...

    def tile_sizes(self) -> dict[tuple[int, int], int] | None:
        """The length of every stored tile, where the store can tell."""

    def hashes(self, first: int, last: int) -> list[bytes] | None:
        """The leaf hashes of a range, or None when it needs a closer look."""

    def found(self, first: int, last: int) -> "dict[int, bytes | None]":
        """The closer look: the leaf hash of each row that is there; None for one that is no event."""

    def lowest(self) -> int | None:
        """The position of the first row, whatever it is."""

    def beyond(self, position: int) -> int | None:
        """The position of the next row after this one."""

    def everything(self) -> Iterator[RawRow]:
        """Every row of the store, in order; ends early where the store cannot be read."""

    def own_rows(self) -> list[RawRow]: ...

    def count(self) -> int: ...

    def disorder(self) -> list[str]:
        """What the store's own check finds wrong with its files; from any thread, and it takes a while."""

    def archive_faults(self) -> Iterator[str]:
        """What the store says of its archive and neither the log nor the archive says."""

    def close(self) -> None: ...


def raw_hash(row: RawRow) -> bytes | None:
    """The leaf hash of a row as it lies there, None when it cannot be an event."""
    try:
        start = FORMAT + len(row.stream).to_bytes(2) + row.stream + row.version.to_bytes(8)
        return leaf_hash(start + len(row.topic).to_bytes(2) + row.topic + row.state)
    except (TypeError, OverflowError, AttributeError):
        return None

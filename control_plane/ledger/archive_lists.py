"""What the database says of its archive, held against what the log says of it and against the archive itself.

A run that is wrong sends a reader to another event, or lets a version be stored twice; no signature covers it.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ControlPlaneError
from .bundles import read_archived
from .evidence import RawRow
from .facts import PrefixArchived
from .leaf import FORMAT
from .merkle import TILE_WIDTH


class _Said(msgspec.Struct):
    through: int
    root: str


def said_in_log(own_rows: Iterable[RawRow]) -> dict[Any, Any]:
    """Up to where the log says that events were archived, each with the root of the tree that ends there."""
    said: dict[Any, Any] = {}
    for row in own_rows:
        if row.topic == PrefixArchived.TOPIC.encode():
            try:
                fact = msgspec.json.decode(row.state, type=_Said)
            except (msgspec.DecodeError, TypeError):
                continue  # what an event says that is not as signed is found elsewhere
            said[fact.through] = fact.root.encode()
    return said


def list_faults(
    said: Mapping[Any, Any], archives: Mapping[Any, Any], runs: Iterable[tuple[Any, ...]], folder: Path
) -> Iterator[str]:
    """`archives` are ends with their roots, `runs` positions with streams and versions, in the order of positions."""
    for through in sorted(said.keys() | archives.keys(), key=str):
        if said.get(through) != archives.get(through):
            yield f"the table `archives` is not what the log says of the archive up to position {through:,}"
            return
    position = _first_wrong(runs, max(said, default=0), folder)
    if position is not None:
        yield f"the table `archived_runs` is wrong from position {position:,} on"


def _first_wrong(runs: Iterable[tuple[Any, ...]], through: int, folder: Path) -> int | None:
    """The first archived position of which the runs say something else than its bundle, None when there is none."""
    leaves, position = _leaves(folder, through), 1
    try:
        for at, stream, first, last in runs:
            if at != position or first > last or last - first > through - at:
                return position
            start = FORMAT + len(stream).to_bytes(2) + stream
            for version in range(first, last + 1):
                if not next(leaves).startswith(start + version.to_bytes(8)):
                    return position
                position += 1
    except (TypeError, OverflowError):
        return position
    except (ControlPlaneError, StopIteration):
        return None  # a bundle that cannot be read is found with its events
    return position if position <= through else None


def _leaves(folder: Path, through: int) -> Iterator[bytes]:
    for number in range(through // TILE_WIDTH):
        yield from read_archived(folder, number)

"""A closer look at the tiles from which the rows differ: which event is the first that is not as signed, and why."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from .evidence import Evidence, RawRow, raw_hash
from .findings import Finding, Reason
from .merkle import HASH, TILE_BYTES, TILE_WIDTH
from .rowscan import leaf_tile, parent, split, tile_roots
from .trust import Trust

# Contents that were exchanged are looked for among so many rows.
_EXCHANGED = 4096


class _Strays(NamedTuple):
    leaves: set[bytes | None]
    rows: list[RawRow]


class Diagnosis:
    """Of a log of `size` events; what the stored tree is worth as a measure is known."""

    def __init__(self, evidence: Evidence, size: int, suspects: list[int], trust: Trust) -> None:
        self._evidence, self._size, self._suspects, self._trust = evidence, size, suspects, trust

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the tree or the archive, up to the first event that is not as signed."""
        for number in self._suspects:
            found = self._tile(number)
            if found is not None:
                yield found
                if found.position is not None:
                    return

    def somewhere(self) -> Iterator[Finding]:
        """Rows and tree agree with each other, and lead to no signed root."""
        known = max(self._trust.tree, self._trust.rows)
        if not self._trust.whole and known < self._trust.signed:
            yield self._between(known + 1, known + 1, self._trust.signed)

    def _tile(self, number: int) -> Finding | None:
        first = number * TILE_WIDTH + 1
        last = min(first + TILE_WIDTH - 1, self._size)
        tile = leaf_tile(self._evidence, number, self._size)
        rows = self._evidence.found(first, last)
        signed = split(tile.ljust((last - first + 1) * HASH, b"\0"))
        differing = [position for position, leaf in enumerate(signed, first) if rows.get(position) != leaf]
        if not self._trust.whole:
            return self._beside_a_damaged_tree([position for position in differing if position > self._trust.rows])
        above = [parent(self._evidence, number)]
        if last - first + 1 < TILE_WIDTH or tile_roots(signed) == above:
            return self.classify(differing[0]) if differing else _intact(f"the storage of events {first} to {last}")
        if tile_roots([rows.get(position) or b"" for position in range(first, last + 1)]) == above:
            return _intact(f"tile 0/{number} of the stored tree")
        return self._between(differing[0] if differing else first, first, last)

    def _beside_a_damaged_tree(self, differing: list[int]) -> Finding | None:
        if not differing:
            return None
        position = differing[0]
        if position <= self._trust.tree or position not in self._evidence.found(position, position):
            return self.classify(position)
        return self._between(position, max(self._trust.tree, self._trust.rows) + 1, self._trust.signed)

    def _between(self, position: int, first: int, last: int) -> Finding:
        return Finding(
            position, Reason.CHANGED, f"events and tree were both changed between positions {first} and {last}"
        )

    def classify(self, position: int) -> Finding:
        """Why the row at `position` is not the event that was signed there."""
        wanted = self._signed(position)
        rows = self._evidence.found(position, position)
        if position not in rows:
            return self._absent(position, wanted)
        seen = rows[position]
        home = None if seen is None else self._home_of(seen)
        elsewhere = self._stands_elsewhere(wanted)
        if home is not None and elsewhere:
            return Finding(position, Reason.REORDERED, f"position {position} holds the event of position {home}")
        if home is not None and self._evidence.found(home, home).get(home) != seen:
            return Finding(position, Reason.MISSING, f"the event of position {position} was deleted, others moved up")
        if elsewhere:
            return Finding(position, Reason.ADDED, f"position {position} holds an event that was never signed")
        if self._content_stands_elsewhere(position, wanted):
            return Finding(position, Reason.REORDERED, f"position {position} holds the content of another event")
        return Finding(position, Reason.CHANGED, f"the event of position {position} is not the one that was signed")

    def _absent(self, position: int, wanted: bytes) -> Finding:
        if self._stands_elsewhere(wanted):
            return Finding(position, Reason.REORDERED, f"the event of position {position} lies at another position")
        if self._evidence.beyond(position) is None:
            return Finding(position, Reason.TRUNCATED, f"the log is cut off before position {position}")
        return Finding(position, Reason.MISSING, f"the event of position {position} is missing")

    def _signed(self, position: int) -> bytes:
        at = (position - 1) * HASH
        return self._leaves[at : at + HASH]

    @functools.cached_property
    def _leaves(self) -> bytes:
        """All leaf hashes of the stored tree."""
        tiles = -(-self._size // TILE_WIDTH)
        return b"".join(self._evidence.tile(0, number).ljust(TILE_BYTES, b"\0")[:TILE_BYTES] for number in range(tiles))

    @functools.cached_property
    def _strays(self) -> "_Strays":
        """The rows that are not where they should be."""
        strays = _Strays(set(), [])
        for row in self._evidence.everything():
            leaf = raw_hash(row)
            if not self._in_place(row.position, leaf):
                strays.leaves.add(leaf)
                if len(strays.rows) < _EXCHANGED:
                    strays.rows.append(row)
        return strays

    def _in_place(self, position: Any, leaf: bytes | None) -> bool:
        return isinstance(position, int) and 1 <= position <= self._size and leaf == self._signed(position)

    def _home_of(self, leaf: bytes) -> int | None:
        at = self._leaves.find(leaf)
        while at > 0 and at % HASH:
            at = self._leaves.find(leaf, at + 1)
        return None if at < 0 else at // HASH + 1

    def _stands_elsewhere(self, leaf: bytes) -> bool:
        return leaf in self._strays.leaves

    def _content_stands_elsewhere(self, position: int, wanted: bytes) -> bool:
        """Whether two rows kept their names and exchanged what they say."""
        rows = self._strays.rows
        here = next((row for row in rows if row.position == position), None)
        return here is not None and any(
            raw_hash(here._replace(topic=topic, state=row.state)) == wanted
            for row in rows
            for topic in {here.topic, row.topic}
        )


def _intact(what: str) -> Finding:
    return Finding(None, Reason.CHANGED, f"{what} is damaged; the events themselves are intact")

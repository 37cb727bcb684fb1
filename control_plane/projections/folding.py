"""Keeps states in step with the log: each event once, in order, from the commit that wrote it or from the database."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from ..errors import ControlPlaneError, LedgerDamaged
from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event

S = TypeVar("S")
CHUNK = 4096
# Events between two moments at which somebody else may look at the states.
SLICE = 64


class Projection(msgspec.Struct, Generic[S], frozen=True):
    """A pure fold and the facts that it reads; raise `version` when an old snapshot no longer fits."""

    name: str
    version: int
    state: type[S]
    fold: Callable[[S, Event], None]
    reads: tuple[type[Event], ...]


class Source(Protocol):
    """What a folder needs of a ledger."""

    catalogue: Catalogue

    def rows(self, after: int = 0, limit: int = CHUNK) -> list[Row]: ...
    def listen(self, listener: Callable[[Sequence[Row]], None]) -> None: ...


class Folder:
    """The states of some projections at one position of the log."""

    def __init__(self, source: Source, projections: Sequence[Projection[Any]]) -> None:
        self.position = 0
        # The version of the marked stream that the states have come to.
        self.marked = 0
        self._mark = ""
        self.faults = 0
        self.last_fault = ""
        self._source = source
        self._projections = {projection.name: projection for projection in projections}
        self._states: dict[str, Any] = {projection.name: projection.state() for projection in projections}
        # Who moves the states forward holds `_moving`; who looks at them, `_lock`, for a slice at most.
        self._moving = threading.RLock()
        self._lock = threading.RLock()
        self._folds: dict[str, list[tuple[Callable[[Any, Event], None], Any]]] = {}
        self._bind()

    def follow(self, source: Source | None = None) -> None:
        """Catch up with the log, or with this source of the same log, and stay in step with its commits."""
        self._source = source or self._source
        self._source.listen(self.on_commit)
        self.catch_up()

    def mark(self, stream: str) -> None:
        """Know at every position how far a stream has been folded that begins from here on."""
        self._mark = stream

    def still(self) -> AbstractContextManager[bool]:
        """While this is held, the states belong to `position` and do not move."""
        return self._lock

    def state(self, projection: Projection[S]) -> S:
        state: S = self._states[projection.name]
        return state

    def versions(self) -> dict[str, int]:
        return {name: projection.version for name, projection in self._projections.items()}

    def restore(self, position: int, states: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        with self._moving, self._lock:
            self.position = position
            self._states.update(states)
            self._bind()

    def frozen(self, encode: Callable[[Projection[Any], Any], bytes]) -> tuple[int, dict[str, bytes]]:
        """All states as of one position, encoded while nothing moves."""
        with self._lock:
            named = self._projections.items()
            return self.position, {name: encode(projection, self._states[name]) for name, projection in named}

    def on_commit(self, rows: Sequence[Row]) -> None:
        with self._moving:
            if rows[0][0] > self.position + 1:
                self.catch_up(rows[0][0] - 1)
            self._apply(rows if rows[0][0] == self.position + 1 else [row for row in rows if row[0] > self.position])

    def catch_up(self, upto: int | None = None) -> int:
        """Fold what the database has beyond our position; the number of events."""
        with self._moving:
            start = self.position
            while upto is None or self.position < upto:
                limit = CHUNK if upto is None else min(CHUNK, upto - self.position)
                rows = self._source.rows(self.position, limit)
                self._apply(rows)
                if len(rows) < limit:
                    break
            return self.position - start

    def _apply(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if rows[0][0] != self.position + 1 or rows[-1][0] != self.position + len(rows):
            raise LedgerDamaged(
                f"after position {self.position} the log goes on at {rows[0][0]}, {len(rows)} events to {rows[-1][0]}",
                cure="run `control-plane ledger verify`",
            )
        for start in range(0, len(rows), SLICE):
            with self._lock:
                self._fold(rows[start : start + SLICE])

    def _fold(self, rows: Sequence[Row]) -> None:
        folds, decode = self._folds, self._source.catalogue.decode
        for _, _, _, topic, state in rows:
            wanted = folds.get(topic)
            if wanted is not None:
                try:
                    event = decode(topic, state)
                    for fold, target in wanted:
                        fold(target, event)
                except (ControlPlaneError, ArithmeticError, LookupError, TypeError, ValueError) as fault:
                    # The log cannot be changed: a fact that no fold can take is counted, and the next one is read.
                    self.faults += 1
                    self.last_fault = f"{topic}: {fault!r}"
        self.position = rows[-1][0]
        if self._mark:
            self.marked = next((row[2] for row in reversed(rows) if row[1] == self._mark), self.marked)

    def _bind(self) -> None:
        self._folds = {}
        for name, projection in self._projections.items():
            for kind in projection.reads:
                self._folds.setdefault(kind.TOPIC, []).append((projection.fold, self._states[name]))

"""The ledger: facts go in by two roads, the journal for many and the direct one for the few that must not wait."""

import weakref
from collections.abc import Callable, Sequence
from typing import NamedTuple

from eventsourcing.persistence import IntegrityError, PersistenceError

from ..clock import Clock
from ..errors import Conflict, EventTooLarge, LedgerClosed, LedgerUnavailable
from .backend import Backend, Row
from .committer import Committer, Counters, Target
from .events import Catalogue, Event
from .journal import Batch, Journal
from .leaf import MAX_LEAF
from .notes import Checkpoint, Note
from .proofs import TileTree
from .recovery import split_body

_LEAF_OVERHEAD = 512


class Recorded(NamedTuple):
    """An event with its place in the log."""

    position: int
    stream: str
    version: int
    event: Event


# What a commit tells those who fold: position of the first event, its stream and version, topics and states.
OnCommit = Callable[[list[Row]], None]


class Ledger:
    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        catalogue: Catalogue,
        clock: Clock,
        *,
        flush_interval: float = 0.05,
        buffered: bool = True,
        threaded: bool = True,
    ) -> None:
        self.catalogue, self.clock = catalogue, clock
        self._backend, self._journal = backend, journal
        self._prefixes = {kind.TOPIC: bytes([len(kind.TOPIC)]) + kind.TOPIC.encode() for kind in catalogue}
        self._buffered = buffered
        self._listeners: list[OnCommit] = []
        self._closed = False
        target = Target(self._insert_bodies, backend.stored_upto, self._committed)
        self._committer = Committer(journal, target, clock, flush_interval)
        if threaded:
            self._committer.start()
        _OPEN.add(self)

    def record(self, event: Event) -> None:
        """The hot road: into the journal and back in a microsecond; committed within the flush interval."""
        body = self._prefixes[event.TOPIC] + self.catalogue.encode(event)
        self._journal.append(body)
        if self._committer.idle:
            self._committer.wake()
        if not self._buffered:
            self._committer.flush()

    def append(self, stream: str, events: Sequence[Event], *, expected: int | None = None) -> int:
        """The direct road: in the ledger when it returns. `expected` is the stream's version that the caller saw."""
        if self._closed:
            raise LedgerClosed("the ledger is closed")
        states = [self.catalogue.encode(event) for event in events]
        for state in states:
            if len(state) > MAX_LEAF - _LEAF_OVERHEAD:
                raise EventTooLarge(
                    f"an event of {len(state):,} bytes", why=f"the limit is {MAX_LEAF - _LEAF_OVERHEAD:,}"
                )
        topics = [event.TOPIC for event in events]
        while True:
            version = self._backend.stored_upto(stream) if expected is None else expected
            try:
                first = self._backend.insert(stream, version + 1, topics, states)
                break
            except IntegrityError:
                if expected is not None:
                    raise Conflict(f"{stream} is no longer at version {expected}", cure="read it again") from None
            except PersistenceError as fault:
                raise LedgerUnavailable("the ledger cannot be written", why=str(fault), cure="try again") from fault
        self._tell([Row(first + n, stream, version + 1 + n, topics[n], states[n]) for n in range(len(states))])
        return first

    def read(self, after: int = 0, limit: int = 1000) -> list[Recorded]:
        return [self.decoded(row) for row in self._backend.rows(after, limit)]

    def rows(self, after: int = 0, limit: int = 4096) -> list[Row]:
        return self._backend.rows(after, limit)

    def decoded(self, row: Row) -> Recorded:
        position, stream, version, topic, state = row
        return Recorded(position, stream, version, self.catalogue.decode(topic, state))

    def listen(self, listener: OnCommit) -> None:
        """Call `listener` after each commit of this process, in the thread that committed."""
        self._listeners.append(listener)

    def changed(self) -> bool:
        return self._backend.changed()

    def size(self) -> int:
        return self._backend.size()

    def checkpoint(self) -> tuple[str, Checkpoint]:
        """The signed note of the head, and what it says."""
        with self._backend.tree() as tree:
            note = tree.last_note()
        assert note is not None, "a ledger begins with an event"
        return note, Note.parse(note).checkpoint()

    def prove(self, position: int) -> tuple[list[bytes], str]:
        """The inclusion path of an event, and the checkpoint that it leads to."""
        with self._backend.tree() as store:
            note = store.last_note() or ""
            tree = TileTree(Note.parse(note).checkpoint().size, store.tile)
            return tree.inclusion(position - 1), note

    def flush(self, timeout: float | None = None) -> None:
        self._committer.flush(timeout)

    @property
    def counters(self) -> Counters:
        return self._committer.counters

    @property
    def backlog(self) -> int:
        return self._journal.appended - self._journal.committed

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        _OPEN.discard(self)
        try:
            self._committer.close()
        finally:
            self._journal.close()
            self._backend.close()

    def _insert_bodies(self, stream: str, first: int, bodies: list[bytes]) -> int:
        pairs = [split_body(body) for body in bodies]
        return self._backend.insert(stream, first, [topic for topic, _ in pairs], [state for _, state in pairs])

    def _committed(self, first: int, stream: str, batch: Batch) -> None:
        if not self._listeners:
            return
        rows = []
        for offset, body in enumerate(batch.bodies):
            topic, state = split_body(body)
            rows.append(Row(first + offset, stream, batch.first + offset, topic, state))
        self._tell(rows)

    def _tell(self, rows: list[Row]) -> None:
        for listener in self._listeners:
            listener(rows)


_OPEN: "weakref.WeakSet[Ledger]" = weakref.WeakSet()

"""The ledger: facts go in by two roads, the journal for many and the direct one for the few that must not wait."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from eventsourcing.persistence import IntegrityError, PersistenceError

from ..clock import Clock
from ..errors import BadInput, Conflict, EventTooLarge, LedgerUnavailable
from . import shutdown
from .announcing import Announcer, OnCommit
from .backend import Backend, Row
from .commit import Commit
from .committer import Committer, Counters, Target
from .events import Catalogue, Event
from .journal import MAX_BODY, Batch, Journal
from .notes import Checkpoint, Note
from .proofs import TileTree
from .recovery import join_body, split_bodies
from .refusals import cure_of
from .turnstile import Turns


class Recorded(NamedTuple):
    """An event with its place in the log."""

    position: int
    stream: str
    version: int
    event: Event


class Ledger:
    """The signed log: what is appended, what is read, and the proofs of both."""

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
        turns: Turns | None = None,
    ) -> None:
        self.catalogue, self.clock = catalogue, clock
        self._turns = turns or Turns()
        self._opened, self._journal = backend, journal
        self._synchronous = not (buffered and threaded)
        self._announcer = Announcer(self._listener_failed)
        target = Target(
            insert=self._insert_batch,
            stored_upto=lambda: backend.stored_upto(journal.writer),
            found=self._found_batch,
            tell=self._announcer.tell,
            inside=lambda: self._announcer.inside,
        )
        self._committer = Committer(journal, target, clock, flush_interval)
        self._writers = {kind.TOPIC: self.writer(kind) for kind in catalogue}
        if threaded:
            self._committer.start()
        shutdown.watch(self)

    @property
    def _backend(self) -> Backend:
        self._journal.check()
        return self._opened

    def record(self, event: Event) -> None:
        """The hot road: into the journal and back in a microsecond; committed within the flush interval."""
        state = self.catalogue.encode(event)
        self._writers[event.TOPIC](state)

    @property
    def stream(self) -> str:
        """The stream of what this process writes by the hot road; versions there are frames of its journal."""
        return self._journal.writer

    def written(self) -> int:
        """The frame that the hot road wrote last."""
        return self._journal.appended

    def writer(self, kind: type[Event]) -> Callable[[bytes], int]:
        """The hot road for one kind of fact whose state is encoded already; answers the frame that it wrote."""
        prefix, append = join_body(kind.TOPIC), self._journal.append
        committer, synchronous = self._committer, self._synchronous

        def write(state: bytes) -> int:
            frame = append(prefix + state)
            if synchronous:
                committer.flush(here=True)
            elif committer.idle:
                committer.wake()
            return frame

        return write

    def append(self, stream: str, events: Sequence[Event], *, expected: int | None = None) -> int:
        """The direct road: in the ledger when it returns. `expected` is the stream's version that the caller saw."""
        self._journal.check()
        if not events:
            raise BadInput(f"nothing was given to append to {stream}")
        topics, states = [event.TOPIC for event in events], [self.catalogue.encode(event) for event in events]
        largest = max(map(len, states), default=0)
        if largest > MAX_BODY:
            raise EventTooLarge(f"an event of {largest:,} bytes", why=f"the limit is {MAX_BODY:,}")
        while True:
            version = self._backend.stored_upto(stream) if expected is None else expected
            try:
                with self._announcer.ordered() as waiting:
                    first = self._insert(stream, version + 1, topics, states)
                    waiting.append(Commit(first, stream, version + 1, topics, states))
                break
            except IntegrityError:
                if expected is not None:
                    raise Conflict(f"{stream} is no longer at version {expected}", cure="read it again") from None
        self._announcer.tell()
        return first

    def turn(self) -> AbstractContextManager[None]:
        """Held by who decides on what is known and then appends it."""
        return self._turns.taken()

    def read(self, after: int = 0, limit: int = 1000) -> list[Recorded]:
        """Events behind a position, decoded."""
        return [self.decoded(row) for row in self._backend.rows(after, limit)]

    def rows(self, after: int = 0, limit: int = 4096) -> list[Row]:
        """Events behind a position, as they are stored."""
        return self._backend.rows(after, limit)

    def decoded(self, row: Row) -> Recorded:
        """A row as its event, through the upcasts of older versions."""
        position, stream, version, topic, state = row
        return Recorded(position, stream, version, self.catalogue.decode(topic, state))

    def listen(self, listener: OnCommit) -> None:
        """Call `listener` after each commit of this process, in the order of positions, in the thread that committed.

        A gap between two calls is what other processes committed, or what a listener failed on: read it by position.
        A listener must not wait for somebody who appends; what it raises is counted and kept from the writer.
        """
        self._announcer.listen(listener)

    def changed(self) -> bool:
        """Whether anybody committed since this was asked last."""
        return self._backend.changed()

    def size(self) -> int:
        """How many events are committed."""
        return self._backend.size()

    def version(self, stream: str) -> int:
        """How many events a stream has; what `append` expects of it."""
        return self._backend.stored_upto(stream)

    def checkpoint(self) -> tuple[str, Checkpoint]:
        """The signed note of the head, and what it says."""
        with self._backend.tree() as tree:
            note = tree.last_note()
        assert note is not None, "a ledger begins with an event"
        return note, Note.parse(note).checkpoint()

    def root_at(self, position: int) -> bytes:
        """The root of the tree as it was when the log ended at this position."""
        with self._backend.tree() as store:
            head = Note.parse(store.last_note() or "").checkpoint()
            return TileTree(head.size, store.tile).root(position)

    def prove(self, position: int) -> tuple[list[bytes], str]:
        """The inclusion path of an event, and the checkpoint that it leads to."""
        with self._backend.tree() as store:
            note = store.last_note() or ""
            tree = TileTree(Note.parse(note).checkpoint().size, store.tile)
            return tree.inclusion(position - 1), note

    def extension(self, old: int) -> tuple[list[bytes], str]:
        """The proof that the log of `old` events is the beginning of this one, and the checkpoint that it leads to."""
        with self._backend.tree() as store:
            note = store.last_note() or ""
            return TileTree(Note.parse(note).checkpoint().size, store.tile).consistency(old), note

    def flush(self, timeout: float | None = None) -> None:
        """Return once everything recorded so far is committed; raises when commits fail for long."""
        self._committer.flush(timeout)

    def settle(self, most: float) -> None:
        """`flush` for who only looks: what cannot be committed in so many seconds stays uncounted."""
        with contextlib.suppress(LedgerUnavailable):
            self.flush(most)

    @property
    def counters(self) -> Counters:
        """Commits, retries and events of this process."""
        return self._committer.counters

    @property
    def backlog(self) -> int:
        """How many events of this process wait in the journal."""
        return self._journal.appended - self._journal.committed

    def close(self) -> None:
        """Commit what is left; raises when that is impossible, and leaves it in the journal for the next process."""
        if self._journal.closed:
            return
        kept = True
        try:
            self._committer.close()
            self._opened.check_place()
            kept = False
        finally:
            shutdown.forget(self)
            # A commit that hangs still reads the journal; both are then left to the end of the process.
            if self._committer.stopped:
                self._journal.close(keep=kept)
                self._opened.close()

    def _insert(self, stream: str, version: int, topics: list[str], states: list[bytes]) -> int:
        """Insert, and look whether it was stored after all when the attempt ended in doubt."""
        try:
            return self._backend.insert(stream, version, topics, states)
        except IntegrityError:
            raise
        except PersistenceError as fault:
            row = self._backend.row_of(stream, version)
            if row is None or (row.topic, bytes(row.state)) != (topics[0], states[0]):
                cure = cure_of(fault) or "try again"
                raise LedgerUnavailable("the ledger cannot be written", why=str(fault), cure=cure) from fault
            return row.position

    def _insert_batch(self, batch: Batch) -> None:
        topics, states = split_bodies(batch.bodies)
        with self._announcer.ordered() as waiting:
            first = self._backend.insert(self._journal.writer, batch.first, topics, states)
            waiting.append(Commit(first, self._journal.writer, batch.first, topics, states))

    def _found_batch(self, batch: Batch) -> None:
        row = self._backend.row_of(self._journal.writer, batch.first)
        if row is not None:
            with self._announcer.ordered() as waiting:
                waiting.append(Commit(row.position, self._journal.writer, batch.first, *split_bodies(batch.bodies)))

    def _listener_failed(self, fault: Exception) -> None:
        self.counters.listener_faults += 1
        self.counters.last_fault = f"a listener failed: {fault!r}"

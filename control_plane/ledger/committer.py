"""Group commit: whatever has gathered while the last commit ran, and a moment longer, goes into the next one.

What comes after a pause is committed at once, and who flushes waits for no timer.
"""

import random
import threading
from collections.abc import Callable

import msgspec
from eventsourcing.persistence import IntegrityError

from ..clock import Clock
from ..errors import LedgerUnavailable
from .bell import Bell
from .journal import Batch, Journal

# Most of a segment. In a busy host each statement waits for the interpreter, whatever it carries: only large batches
# keep up with a backlog; without one a batch is as small as what gathered during the last commit.
BATCH = 16384
# A commit costs a host as much time of its processor as a hundred events do: a steady trickle is gathered for a moment.
FEW, MOMENT = 256, 0.004
FIRST_DELAY, LONGEST_DELAY = 0.01, 2.0
# A flush gives up after so many failures in a row, or so many seconds without a commit; the committer never does.
TRIES = 6
PATIENCE = 10.0
# How long a closing ledger waits for a commit that hangs in the database.
LAST_WAIT = 20.0


class Counters(msgspec.Struct):
    """`doubts`: commits that had been reported as failed and were found stored; listeners fail without harm."""

    commits: int = 0
    events: int = 0
    retries: int = 0
    failing_for: int = 0
    doubts: int = 0
    listener_faults: int = 0
    restarts: int = 0
    last_fault: str = ""


class Target(msgspec.Struct, frozen=True):
    """Where batches go: stored by `insert`, looked up by `stored_upto` when an attempt ended in doubt, then told."""

    insert: Callable[[Batch], None]
    stored_upto: Callable[[], int]
    found: Callable[[Batch], None]
    tell: Callable[[], None]
    inside: Callable[[], bool]


class Committer:
    def __init__(
        self,
        journal: Journal,
        target: Target,
        clock: Clock,
        flush_interval: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.counters = Counters()
        self._journal, self._target, self._clock = journal, target, clock
        self._interval, self._jitter = flush_interval, jitter
        self._bell, self._hurry = Bell(), Bell()
        self._progress = threading.Condition()
        self._committing = threading.Lock()
        self._told = 0
        self._closing = False
        self.idle = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="control-plane-committer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._bell.set()

    def flush(self, timeout: float | None = None, *, here: bool = False) -> None:
        """Return once everything appended before this call is in the ledger; raise when it cannot be written."""
        self._journal.check()
        goal = self._journal.appended
        if here or self._thread is None or self._thread is threading.current_thread():
            self._flush_here(goal, PATIENCE if timeout is None else timeout)
        else:
            self._flush_there(goal, timeout)

    def close(self) -> bool:
        """Commit what is left, as far as the database lets us; False when a commit still hangs there."""
        try:
            self.flush()
        finally:
            self._closing = True
            self._ring()
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(LAST_WAIT)
        return self.stopped

    @property
    def stopped(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    def commit_once(self) -> bool:
        """Commit one batch; False when there is nothing to do or it failed."""
        with self._committing:
            batch = self._journal.take(BATCH)
            if not batch.bodies:
                return False
            try:
                batch = self._store(batch)
            except Exception as fault:  # whatever it is, the journal keeps the batch
                self._count_failure(fault)
                return False
            self._journal.release(batch)
            self.counters.commits += 1
            self.counters.events += len(batch.bodies)
            self.counters.failing_for = 0
            done = batch.first + len(batch.bodies) - 1
        self._target.tell()
        with self._progress:
            self._told = max(self._told, done)
            self._progress.notify_all()
        return True

    def _store(self, batch: Batch) -> Batch:
        """Store it, or find that an earlier attempt had stored a part although its commit was reported as failed."""
        try:
            self._target.insert(batch)
        except IntegrityError:
            stored = self._target.stored_upto() - batch.first + 1
            if stored <= 0:
                raise
            batch = self._journal.take(min(stored, len(batch.bodies)))
            self.counters.doubts += 1
            self._target.found(batch)
        return batch

    def _count_failure(self, fault: Exception) -> None:
        self.counters.retries += 1
        self.counters.failing_for += 1
        self.counters.last_fault = str(fault) or type(fault).__name__
        with self._progress:
            self._progress.notify_all()

    def _run(self) -> None:
        try:
            while not self._closing:
                if self.commit_once():
                    self._gather()
                elif self.counters.failing_for:
                    self._clock.wait(self._bell, self._delay())
                else:
                    self._rest()
        finally:
            # Killed from outside by an exception: the journal is whole, somebody else goes on.
            if not self._closing:
                self.counters.restarts += 1
                self.start()

    def _gather(self) -> None:
        if self._journal.appended - self._journal.committed < FEW and not self._closing:
            self._clock.wait(self._hurry, MOMENT)

    def _ring(self) -> None:
        """Somebody waits for the commit itself."""
        self._hurry.set()
        self._bell.set()

    def _rest(self) -> None:
        self._bell.clear()
        # Whoever appends from here on sees `idle` and rings; whoever came before is seen by the next look.
        self.idle = True
        if self._journal.appended == self._journal.committed and not self._closing:
            self._clock.wait(self._bell, self._interval)
        self.idle = False

    def _delay(self) -> float:
        longest: float = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.counters.failing_for - 1, 20))
        return longest * (0.5 + self._jitter() / 2)

    def _flush_here(self, goal: int, patience: float) -> None:
        deadline = self._clock.monotonic() + patience
        while self._journal.committed < goal:
            if self.commit_once():
                deadline = self._clock.monotonic() + patience
            elif self.counters.failing_for:
                if self.counters.failing_for >= TRIES or self._clock.monotonic() >= deadline:
                    self._raise_unavailable(goal)
                self._clock.wait(self._bell, self._delay())

    def _flush_there(self, goal: int, timeout: float | None) -> None:
        # One more try, at once, when it has been failing for long; the whole series when it has not.
        tries, last = self.counters.retries + max(1, TRIES - self.counters.failing_for), self._journal.committed
        self._ring()
        deadline = self._clock.monotonic() + (PATIENCE if timeout is None else timeout)
        with self._progress:
            while self._journal.committed < goal or (self._told < goal and not self._target.inside()):
                if self._journal.committed > last and timeout is None:
                    last, deadline = self._journal.committed, self._clock.monotonic() + PATIENCE
                late = self._clock.monotonic() >= deadline
                if late or self._closing or (self.counters.failing_for and self.counters.retries >= tries):
                    self._raise_unavailable(goal)
                if self.idle:
                    self._ring()
                self._progress.wait(self._interval)

    def _raise_unavailable(self, goal: int) -> None:
        waiting = goal - self._journal.committed
        raise LedgerUnavailable(
            f"{waiting:,} events wait in the journal",
            why=self.counters.last_fault or "the ledger did not answer in time",
            cure="they are kept and will be committed when the fault is gone",
        )

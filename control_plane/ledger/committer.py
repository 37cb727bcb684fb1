"""Group commit: whatever has gathered while the last commit ran goes into the next one; nothing waits for a timer."""

import random
import sqlite3
import threading
from collections.abc import Callable

import msgspec
from eventsourcing.persistence import IntegrityError, PersistenceError

from ..clock import Clock
from ..errors import ControlPlaneError, LedgerUnavailable
from .journal import Batch, Journal

# Larger batches are hardly faster and make the others wait.
BATCH = 2048
FIRST_DELAY, LONGEST_DELAY = 0.01, 2.0
# A flush gives up after so many tries in a row; the committer itself never does.
TRIES = 6

FAULTS = (PersistenceError, sqlite3.Error, OSError, ControlPlaneError)


class Counters(msgspec.Struct):
    commits: int = 0
    events: int = 0
    retries: int = 0
    failing_for: int = 0
    last_fault: str = ""


class Target(msgspec.Struct, frozen=True):
    """Where batches go: stored by `insert`, looked up by `stored_upto` when an attempt ended in doubt."""

    insert: Callable[[str, int, list[bytes]], int]
    stored_upto: Callable[[str], int]
    committed: Callable[[int, str, Batch], None]


class Committer:
    def __init__(self, journal: Journal, target: Target, clock: Clock, flush_interval: float) -> None:
        self.counters = Counters()
        self._journal, self._target, self._clock = journal, target, clock
        self._interval = flush_interval
        self._wake = threading.Event()
        self._progress = threading.Condition()
        self._committing = threading.Lock()
        self._closing = False
        self.idle = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="control-plane-committer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def flush(self, timeout: float | None = None) -> None:
        """Return once everything appended before this call is in the ledger; raise when it cannot be written."""
        goal = self._journal.appended
        if self._thread is None:
            self._flush_here(goal)
            return
        tries, deadline = self.counters.retries + TRIES, None if timeout is None else self._clock.monotonic() + timeout
        with self._progress:
            while self._journal.committed < goal:
                self._wake.set()
                self._progress.wait(self._interval)
                late = deadline is not None and self._clock.monotonic() >= deadline
                if late or self._closing or (self.counters.retries >= tries and self.counters.failing_for):
                    self._raise_unavailable(goal)

    def close(self) -> None:
        """Commit what is left, as far as the database lets us; the journal keeps the rest."""
        try:
            self.flush()
        finally:
            self._closing = True
            self._wake.set()
            if self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join()

    def commit_once(self) -> bool:
        """Commit one batch; False when there is nothing to do or it failed."""
        with self._committing:
            batch = self._journal.take(BATCH)
            if not batch.bodies:
                return False
            try:
                first = self._store(batch)
            except FAULTS as fault:
                self.counters.retries += 1
                self.counters.failing_for += 1
                self.counters.last_fault = str(fault)
                return False
            self._journal.release(batch)
        self.counters.commits += 1
        self.counters.events += len(batch.bodies)
        self.counters.failing_for = 0
        self._target.committed(first, self._journal.writer, batch)
        with self._progress:
            self._progress.notify_all()
        return True

    def _store(self, batch: Batch) -> int:
        try:
            return self._target.insert(self._journal.writer, batch.first, batch.bodies)
        except IntegrityError:
            # An earlier attempt was stored although its commit was reported as failed.
            if self._target.stored_upto(self._journal.writer) >= batch.first + len(batch.bodies) - 1:
                return 0
            raise

    def _run(self) -> None:
        while not self._closing:
            if self.commit_once():
                continue
            if self.counters.failing_for:
                self._clock.wait(self._wake_for_close(), self._delay())
                continue
            self._rest()

    def _rest(self) -> None:
        self._wake.clear()
        # Whoever appends from here on sees `idle` and wakes us; whoever came before is seen by the next look.
        self.idle = True
        if self._journal.appended == self._journal.committed and not self._closing:
            self._clock.wait(self._wake, self._interval)
        self.idle = False

    def _wake_for_close(self) -> threading.Event:
        if not self._closing:
            self._wake.clear()
        return self._wake

    def _delay(self) -> float:
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.counters.failing_for, 20))
        return float(longest * (0.5 + random.random() / 2))  # noqa: S311 - jitter, not a secret

    def _flush_here(self, goal: int) -> None:
        while self._journal.committed < goal:
            if self.commit_once():
                continue
            if self.counters.failing_for >= TRIES:
                self._raise_unavailable(goal)
            if self.counters.failing_for:
                self._clock.wait(self._wake, self._delay())

    def _raise_unavailable(self, goal: int) -> None:
        waiting = goal - self._journal.committed
        raise LedgerUnavailable(
            f"{waiting:,} events wait in the journal",
            why=self.counters.last_fault or "the ledger did not answer in time",
            cure="they are kept and will be committed when the fault is gone",
        )

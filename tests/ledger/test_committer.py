"""Group commit: by back-pressure, with a bounded interval, retried, counted, and never silently dead."""

import ctypes
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from control_plane.clock import Clock, VirtualClock
from control_plane.errors import LedgerUnavailable
from control_plane.ledger.bell import Bell
from control_plane.ledger.committer import BATCH, FIRST_DELAY, LONGEST_DELAY, MOMENT, TRIES, Committer, Target
from control_plane.ledger.journal import Batch, Journal
from tests.ledger.journals import small_journal


class Store:
    """The smallest database that keeps the promise, with faults that a test plants."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.batches: list[int] = []
        self.found = 0
        self.before: Callable[[Batch], None] = lambda _batch: None
        self.after: Callable[[Batch], None] = lambda _batch: None

    def insert(self, batch: Batch) -> None:
        self.before(batch)
        if batch.first != len(self.stored) + 1:
            raise IntegrityError
        self.stored += batch.bodies
        self.batches.append(len(batch.bodies))
        self.after(batch)

    def target(self) -> Target:
        return Target(
            insert=self.insert,
            stored_upto=lambda: len(self.stored),
            found=lambda batch: setattr(self, "found", self.found + len(batch.bodies)),
            tell=lambda: None,
            inside=lambda: False,
        )


class RecordingClock(VirtualClock):
    """Remembers how long somebody wanted to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        return super().wait(event, timeout)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path, segments=4)
    yield journal
    journal.close()


@pytest.fixture
def store() -> Store:
    return Store()


def committer_of(journal: Journal, store: Store, clock: Clock | None = None, interval: float = 0.05) -> Committer:
    return Committer(journal, store.target(), clock or Clock(), interval, jitter=lambda: 1.0)


def failing(times: int, fault: Exception | None = None) -> Callable[[Batch], None]:
    left = [times]

    def fail(_: Batch) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise fault or OperationalError("disk I/O error")

    return fail


@pytest.mark.requirement("LEDGER-56")
def test_what_gathers_while_a_commit_runs_goes_into_the_next_one(journal: Journal, store: Store) -> None:
    in_commit, go_on = threading.Event(), threading.Event()

    def hold(batch: Batch) -> None:
        if batch.first == 1:
            in_commit.set()
            assert go_on.wait(10)

    store.before = hold
    committer = committer_of(journal, store)
    journal.append(b"first")
    committer.start()
    assert in_commit.wait(10)
    for number in range(500):
        journal.append(b"%d" % number)
    go_on.set()
    committer.flush()
    assert store.batches == [1, 500]
    committer.close()


def test_a_batch_has_an_upper_limit(journal: Journal, store: Store) -> None:
    for number in range(BATCH + 5):
        journal.append(b"%d" % number)
    committer_of(journal, store).flush()
    assert store.batches == [BATCH, 5]


@pytest.mark.requirement("LEDGER-57")
def test_an_idle_committer_looks_again_within_the_interval(journal: Journal, store: Store) -> None:
    looked, waits = threading.Event(), list[float]()

    class Watched(Clock):
        def wait(self, event: threading.Event, timeout: float) -> bool:
            waits.append(timeout)
            looked.set()
            return super().wait(event, timeout)

    stored = threading.Event()
    store.after = lambda _batch: stored.set()
    committer = committer_of(journal, store, Watched(), interval=0.02)
    committer.start()
    assert looked.wait(10)
    # Nobody rings: the interval alone finds it.
    journal.append(b"unannounced")
    assert stored.wait(10)
    assert set(waits) <= {0.02, MOMENT}
    committer.close()


def test_a_trickle_is_gathered_for_a_moment(journal: Journal, store: Store) -> None:
    done = threading.Event()
    store.after = lambda batch: done.set() if len(batch.bodies) > 1 else None

    class Trickling(Clock):
        def wait(self, event: threading.Event, timeout: float) -> bool:
            if timeout != MOMENT:
                return super().wait(event, timeout)
            if len(store.batches) == 1:
                for number in range(5):
                    journal.append(b"%d" % number)
            return False

    committer = committer_of(journal, store, Trickling(), interval=0.02)
    journal.append(b"first")
    committer.start()
    assert done.wait(10)
    committer.close()
    assert store.batches == [1, 5]


def test_a_flush_does_not_wait_for_the_moment(journal: Journal, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.ledger.committer.MOMENT", 3600.0)
    committer = committer_of(journal, store, interval=3600)
    committer.start()
    for number in range(3):
        journal.append(b"%d" % number)
        committer.flush(10.0)
    committer.close()
    assert sum(store.batches) == 3


def test_a_ring_wakes_it_at_once(journal: Journal, store: Store) -> None:
    stored = threading.Event()
    store.after = lambda _batch: stored.set()
    committer = committer_of(journal, store, interval=3600)
    committer.start()
    while not committer.idle:
        pass
    journal.append(b"announced")
    committer.wake()
    assert stored.wait(10)
    committer.close()


def test_a_bell_may_be_rung_twice_and_wakes_once() -> None:
    bell = Bell()
    assert not bell.wait(0)
    bell.set()
    bell.set()
    assert bell.is_set()
    assert bell.wait()
    assert not bell.wait(0)
    bell.set()
    bell.clear()
    assert not bell.is_set()


@pytest.mark.requirement("LEDGER-58", "LEDGER-60", "LEDGER-61")
def test_a_failed_commit_is_retried_and_counted(journal: Journal, store: Store) -> None:
    store.before = failing(3)
    committer = committer_of(journal, store, RecordingClock())
    journal.append(b"event")
    committer.flush()
    counters = committer.counters
    assert (counters.commits, counters.events, counters.retries, counters.failing_for) == (1, 1, 3, 0)
    assert counters.last_fault == "disk I/O error"
    assert store.stored == [b"event"]


@pytest.mark.requirement("LEDGER-58", "LEDGER-61")
def test_a_flush_gives_up_with_the_cause_and_nothing_is_lost(journal: Journal, store: Store) -> None:
    store.before = failing(TRIES)
    committer = committer_of(journal, store, RecordingClock())
    journal.append(b"event")
    with pytest.raises(LedgerUnavailable, match="1 events wait") as refused:
        committer.flush()
    assert refused.value.why == "disk I/O error"
    assert committer.counters.retries == TRIES
    committer.flush()
    assert store.stored == [b"event"]


@pytest.mark.requirement("LEDGER-58", "LEDGER-61")
def test_a_flush_beside_a_failing_thread_gives_up_too_and_later_everything_is_there(
    journal: Journal, store: Store
) -> None:
    broken = threading.Event()
    broken.set()

    def fail(_: Batch) -> None:
        if broken.is_set():
            raise OperationalError("database or disk is full")

    store.before = fail
    committer = committer_of(journal, store)
    committer.start()
    for number in range(10):
        journal.append(b"%d" % number)
    with pytest.raises(LedgerUnavailable, match="database or disk is full"):
        committer.flush()
    with pytest.raises(LedgerUnavailable, match="10 events wait"):
        committer.flush(timeout=0)
    broken.clear()
    committer.flush()
    assert len(store.stored) == 10
    committer.close()


@pytest.mark.requirement("LEDGER-59")
def test_the_delay_doubles_up_to_a_limit_and_is_jittered(journal: Journal, store: Store) -> None:
    clock, jitter = RecordingClock(), iter([1.0, 0.0] * 10)
    store.before = failing(12)
    committer = Committer(journal, store.target(), clock, 0.05, jitter=lambda: next(jitter))
    journal.append(b"event")
    while not store.stored:
        try:
            committer.flush(timeout=3600)
        except LedgerUnavailable:
            clock.wait(Bell(), committer._delay())
    longest = [min(LONGEST_DELAY, FIRST_DELAY * 2**power) for power in range(len(clock.waits))]
    assert clock.waits[0] == FIRST_DELAY
    assert clock.waits == [full * (1.0 if number % 2 == 0 else 0.5) for number, full in enumerate(longest)]
    assert clock.waits[-1] <= LONGEST_DELAY


@pytest.mark.requirement("LEDGER-48")
def test_a_commit_that_was_stored_but_reported_as_failed_is_not_doubled(journal: Journal, store: Store) -> None:
    store.after = failing(1)
    committer = committer_of(journal, store, RecordingClock())
    for number in range(3):
        journal.append(b"%d" % number)
    assert not committer.commit_once()
    # More has gathered since: the next batch begins with what is already stored.
    for number in range(3, 6):
        journal.append(b"%d" % number)
    committer.flush()
    assert store.stored == [b"%d" % number for number in range(6)]
    assert (committer.counters.doubts, store.found) == (1, 3)


def test_a_version_that_somebody_else_took_is_not_taken_for_ours(journal: Journal, store: Store) -> None:
    store.before = failing(TRIES, IntegrityError("UNIQUE constraint failed"))
    committer = committer_of(journal, store, RecordingClock())
    journal.append(b"event")
    with pytest.raises(LedgerUnavailable, match="UNIQUE constraint failed"):
        committer.flush()
    assert store.stored == []


@pytest.mark.parametrize("fault", [ValueError("never heard of"), MemoryError(), UnicodeDecodeError("a", b"", 0, 1, "")])
def test_a_fault_of_any_kind_is_retried_and_named(journal: Journal, store: Store, fault: Exception) -> None:
    store.before = failing(2, fault)
    committer = committer_of(journal, store)
    committer.start()
    journal.append(b"event")
    committer.flush()
    assert store.stored == [b"event"]
    assert committer.counters.last_fault
    committer.close()


class Killed(SystemExit):
    """Thrown into the committer from outside; threads may exit without a word."""


@pytest.mark.requirement("LEDGER-52")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.usefixtures("untraced")
def test_a_committer_that_is_killed_has_a_successor(journal: Journal, store: Store) -> None:
    committer = committer_of(journal, store)
    committer.start()
    for number in range(50):
        journal.append(b"%d" % number)
        victim = committer._thread
        assert victim is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(victim.ident or 0), ctypes.py_object(Killed))
        committer.flush()
        victim.join()
    assert store.stored == [b"%d" % number for number in range(50)]
    assert committer.counters.restarts > 0
    committer.close()


@pytest.mark.requirement("LEDGER-64")
def test_close_commits_what_is_left(journal: Journal, store: Store) -> None:
    committer = committer_of(journal, store)
    committer.start()
    for number in range(5000):
        journal.append(b"%d" % number)
    assert committer.close()
    assert len(store.stored) == 5000


def test_close_with_a_failing_database_ends_and_keeps_everything(tmp_path: Path, store: Store) -> None:
    journal = small_journal(tmp_path)
    store.before = failing(10**9)
    committer = committer_of(journal, store)
    committer.start()
    journal.append(b"event")
    with pytest.raises(LedgerUnavailable):
        committer.close()
    assert committer.stopped
    assert journal.take(5).bodies == [b"event"]
    journal.close()

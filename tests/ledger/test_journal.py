"""The journal: what it took is safe, in order, once; when it is full it says so; nothing that dies breaks it."""

import ctypes
import errno
import gc
import os
import random
import resource
import signal
import threading
import weakref
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import BadInput, EventTooLarge, HomeReadOnly, JournalFull, LedgerClosed, LedgerUnavailable
from control_plane.ledger import segment as segment_module
from control_plane.ledger.journal import MAX_BODY, Journal
from tests.ledger.journals import BODY, PER_SEGMENT, SEGMENT_BYTES, drain, left_behind, small_journal


def numbered(number: int) -> bytes:
    return b"%08d" % number + BODY[8:]


@pytest.mark.requirement("LEDGER-46")
def test_what_was_appended_comes_back_in_order_over_many_segments(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    sent, received = [], []
    for number in range(10 * PER_SEGMENT):
        sent.append(numbered(number))
        assert journal.append(sent[-1]) == number + 1
        if number % 7 == 0:
            received += drain(journal)
    assert received + drain(journal) == sent
    assert (journal.appended, journal.committed) == (100, 100)
    journal.close()


@pytest.mark.requirement("LEDGER-46")
def test_a_segment_that_was_read_before_it_was_full_is_left_when_it_is(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    for number in range(3 * PER_SEGMENT):
        journal.append(numbered(number))
        assert drain(journal) == [numbered(number)]
    journal.close()


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(-12, 40), max_size=80))
def test_any_order_of_appends_and_commits_keeps_every_frame_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    journal = small_journal(tmp_path_factory.mktemp("journal"))
    sent: list[bytes] = []
    received: list[bytes] = []
    for step in steps:
        if step > 0:
            try:
                journal.append(b"%06d" % len(sent) * step)
                sent.append(b"%06d" % len(sent) * step)
            except (JournalFull, EventTooLarge):
                pass
        else:
            batch = journal.take(-step)
            received += batch.bodies
            journal.release(batch)
    assert received + drain(journal) == sent
    journal.close()


@pytest.mark.requirement("LEDGER-50")
def test_it_refuses_exactly_when_the_space_is_used_up_and_takes_again_after_a_release(tmp_path: Path) -> None:
    journal = small_journal(tmp_path, segments=3)
    for number in range(3 * PER_SEGMENT):
        journal.append(numbered(number))
    for _ in range(3):
        with pytest.raises(JournalFull) as refused:
            journal.append(BODY)
        assert refused.value.code == "journal.full"
        assert refused.value.cure
    batch = journal.take(PER_SEGMENT - 1)
    journal.release(batch)
    with pytest.raises(JournalFull):
        journal.append(BODY)
    journal.release(journal.take(1))
    for number in range(PER_SEGMENT):
        journal.append(numbered(100 + number))
    with pytest.raises(JournalFull):
        journal.append(BODY)
    rest = [numbered(number) for number in range(PER_SEGMENT, 3 * PER_SEGMENT)]
    assert drain(journal) == rest + [numbered(100 + number) for number in range(PER_SEGMENT)]
    journal.close()


@pytest.mark.requirement("LEDGER-50")
def test_a_refused_append_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = small_journal(tmp_path, segments=1)
    for number in range(PER_SEGMENT):
        journal.append(numbered(number))
    with pytest.raises(JournalFull):
        journal.append(BODY)
    frames, damaged = left_behind(tmp_path)
    assert ([frame.body for frame in frames], damaged) == ([numbered(number) for number in range(PER_SEGMENT)], 0)


@pytest.mark.parametrize("body", [b"", b"x" * (MAX_BODY + 1)])
def test_an_event_of_no_size_or_too_large_is_refused(tmp_path: Path, body: bytes) -> None:
    journal = Journal(tmp_path, segments=1, segment_bytes=1 << 20)
    with pytest.raises(EventTooLarge):
        journal.append(body)
    journal.append(b"x" * MAX_BODY)
    assert journal.appended == 1
    journal.close()


def test_a_journal_without_room_for_an_event_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        Journal(tmp_path, segments=0)
    with pytest.raises(BadInput):
        Journal(tmp_path, segment_bytes=100)
    assert not list(tmp_path.iterdir())


def test_a_release_out_of_turn_is_refused(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    journal.append(BODY)
    batch = journal.take(1)
    journal.release(batch)
    with pytest.raises(BadInput):
        journal.release(batch)
    journal.close()


@pytest.mark.requirement("LEDGER-51")
def test_several_threads_lose_and_mix_nothing(tmp_path: Path) -> None:
    journal, received = Journal(tmp_path, segments=4, segment_bytes=1 << 16), []
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(4000):
            while True:
                try:
                    journal.append(b"%d %d" % (writer, number))
                    break
                except JournalFull:
                    continue

    def read() -> None:
        while not done.is_set():
            received.extend(drain(journal, 500))

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    received += drain(journal)
    for writer in range(4):
        mine = [int(body.split()[1]) for body in received if body.startswith(b"%d " % writer)]
        assert mine == list(range(4000))
    journal.close()


class Killed(BaseException):
    """Thrown into a thread from outside."""


@pytest.mark.requirement("LEDGER-52")
@pytest.mark.usefixtures("untraced")
def test_a_thread_that_dies_half_way_costs_nobody_a_frame(tmp_path: Path) -> None:
    """Exceptions strike threads between any two steps; what was answered is there, once, and the others go on."""
    journal = Journal(tmp_path, segments=3, segment_bytes=1 << 14)
    generator, answered, received = random.Random(5), [], []

    def write(writer: int) -> None:
        try:
            for number in range(10_000_000):
                body = b"%d %d" % (writer, number)
                try:
                    journal.append(body)
                except JournalFull:
                    continue
                answered.append(body)
        except Killed:
            return

    for writer in range(60):
        thread = threading.Thread(target=write, args=(writer,))
        thread.start()
        for _ in range(generator.randrange(20)):
            received += drain(journal, 50)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Killed))
        while thread.is_alive():
            received += drain(journal, 50)
        thread.join()
    received += drain(journal, 50)
    assert len(set(received)) == len(received)
    assert set(answered) <= set(received)
    # Written and not answered: at most the one that each thread died over.
    assert len(received) - len(answered) <= 60
    assert journal.append(b"still here") == len(received) + 1
    journal.close()


@pytest.mark.requirement("LEDGER-52")
@pytest.mark.usefixtures("untraced")
def test_a_reader_that_dies_half_way_loses_and_doubles_nothing(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    received: list[bytes] = []
    sent = 0

    def read() -> None:
        try:
            while True:
                batch = journal.take(3)
                # In one statement: what is noted is released, whenever the exception strikes.
                received[batch.first - 1 :] = batch.bodies
                journal.release(batch)
        except Killed:
            return

    for _ in range(40):
        thread = threading.Thread(target=read)
        thread.start()
        for _ in range(50):
            try:
                journal.append(numbered(sent))
                sent += 1
            except JournalFull:
                continue
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Killed))
        thread.join()
    while (batch := journal.take(3)).bodies:
        received[batch.first - 1 :] = batch.bodies
        journal.release(batch)
    assert received == [numbered(number) for number in range(sent)]
    journal.close()


@pytest.mark.requirement("LEDGER-52")
@pytest.mark.usefixtures("untraced")
def test_a_signal_handler_may_record_in_the_middle_of_a_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segments=3, segment_bytes=1 << 14)
    answered: list[bytes] = []
    rings = 0

    def ring(number: int, frame: object) -> None:
        nonlocal rings
        rings += 1
        body = b"handler %d" % rings
        try:
            journal.append(body)
            answered.append(body)
        except JournalFull:
            pass

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    received: list[bytes] = []
    try:
        number = 0
        while rings < 300:
            try:
                journal.append(b"main %d" % number)
                answered.append(b"main %d" % number)
                number += 1
            except JournalFull:
                received += drain(journal, 100)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    received += drain(journal, 100)
    assert sorted(received) == sorted(answered)
    journal.close()


def test_what_is_not_committed_stays_for_the_next_process(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    for number in range(15):
        journal.append(numbered(number))
    journal.release(journal.take(4))
    journal.close()
    frames, damaged = left_behind(tmp_path)
    assert [frame.body for frame in frames if frame.sequence > 4] == [numbered(number) for number in range(4, 15)]
    assert damaged == 0


def test_a_closed_journal_takes_and_keeps_nothing(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    journal.append(BODY)
    drain(journal)
    journal.close()
    journal.close()
    assert not list(tmp_path.iterdir())
    with pytest.raises(LedgerClosed):
        journal.append(BODY)
    assert journal.take(5).bodies == []


@pytest.mark.requirement("LEDGER-49")
def test_a_disk_that_fills_up_while_it_is_reserved_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve, made = segment_module._reserve, []

    def until_full(handle: int, size: int) -> None:
        made.append(size)
        if len(made) == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(handle, size)

    monkeypatch.setattr(segment_module, "_reserve", until_full)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    with pytest.raises(LedgerUnavailable, match="No space"):
        Journal(tmp_path, segments=8, segment_bytes=1 << 16)
    assert not list(tmp_path.iterdir())
    assert before is None or len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_cannot_be_made_is_a_coded_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeReadOnly):
        Journal(tmp_path / "file" / "journal")


def test_a_journal_that_nobody_holds_is_forgotten(tmp_path: Path) -> None:
    journal = small_journal(tmp_path)
    journal.close()
    gone = weakref.ref(journal)
    del journal
    gc.collect()
    assert gone() is None


@pytest.mark.requirement("LEDGER-53")
def test_memory_does_not_grow_with_what_passes_through(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segments=2, segment_bytes=1 << 20)
    body = b"x" * 160

    def pass_through(frames: int) -> int:
        for _ in range(frames // 1000):
            for _ in range(1000):
                journal.append(body)
            journal.release(journal.take(1000))
            journal.release(journal.take(1000))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = pass_through(20_000)
    assert pass_through(200_000) - before < 2048, "kilobytes"
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) == 2 << 20
    journal.close()


def test_the_small_journal_is_as_small_as_it_says() -> None:
    assert SEGMENT_BYTES == 128 + 10 * 100 + 12

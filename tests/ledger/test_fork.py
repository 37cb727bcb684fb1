"""A fork: the child is told, the parent goes on, and neither harms the other's log."""

import gc
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.errors import Forked
from control_plane.ledger.journal import Journal
from tests.ledger.journals import BODY, drain, small_journal
from tests.ledger.running import audited, counted, names, open_ledger, recover, running

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


def in_child(work: Callable[[], object]) -> int:
    """The exit code of a child that does this: 0 when it returned."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as fault:  # a forked test must never return
            print(repr(fault), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def expect_forked(call: Callable[[], object]) -> None:
    with pytest.raises(Forked) as told:
        call()
    assert told.value.code == "journal.forked"
    assert "open a control plane" in told.value.cure


def test_the_child_gets_a_coded_error_on_every_road_and_the_parent_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "home") as ledger:
        ledger.record(counted("before"))

        def child() -> None:
            for call in (
                lambda: ledger.record(counted("child")),
                lambda: ledger.append("s", [counted("child")]),
                ledger.flush,
                ledger.read,
                ledger.size,
                ledger.checkpoint,
            ):
                expect_forked(call)
            ledger.close()

        for _ in range(3):
            assert in_child(child) == 0
        ledger.record(counted("after"))
        ledger.append("s", [counted("direct")])
        ledger.flush()
        assert sorted(names(ledger)) == ["after", "before", "direct"]
    assert audited(tmp_path / "home").ok


def test_a_child_may_open_the_same_home_for_itself(tmp_path: Path) -> None:
    with running(tmp_path / "home") as ledger:
        ledger.record(counted("parent"))

        def child() -> None:
            with running(tmp_path / "home") as own:
                own.record(counted("child"))

        assert in_child(child) == 0
        ledger.record(counted("parent again"))
        ledger.flush()
        assert sorted(names(ledger)) == ["child", "parent", "parent again"]
    assert audited(tmp_path / "home").ok


def test_a_child_that_ends_in_good_order_takes_nothing_with_it(tmp_path: Path) -> None:
    """It runs its exit handlers, closes what it inherited, and collects its garbage."""
    ledger = open_ledger(tmp_path / "home")
    for turn in range(5):
        child = os.fork()
        if child == 0:
            gc.collect()
            # Not through the test runner's own exit handlers; ours and the database's.
            from control_plane.ledger import shutdown

            shutdown._close_all()
            ledger._opened.close()
            os._exit(0)
        for number in range(200):
            ledger.record(counted(f"{turn}-{number}"))
        ledger.append("s", [counted(f"{turn}-direct")])
        assert os.waitpid(child, 0)[1] == 0
    ledger.close()
    with running(tmp_path / "home") as ledger:
        assert len(names(ledger)) == 5 * 201
    assert audited(tmp_path / "home").ok


def test_a_fork_in_the_middle_of_a_record_leaves_no_lock_behind(tmp_path: Path) -> None:
    with running(tmp_path / "home") as ledger:
        stop = threading.Event()

        def record() -> None:
            number = 0
            while not stop.is_set():
                ledger.record(counted(number))
                number += 1

        threads = [threading.Thread(target=record) for _ in range(2)]
        for thread in threads:
            thread.start()
        codes = [in_child(lambda: expect_forked(lambda: ledger.record(counted("child")))) for _ in range(10)]
        stop.set()
        for thread in threads:
            thread.join()
        assert codes == [0] * 10


def test_the_parents_journal_is_recoverable_although_a_child_lives_on(tmp_path: Path) -> None:
    """The lock of a dead writer must not live on in its children."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        ledger = open_ledger(tmp_path / "home", flush_interval=3600)
        ledger._committer._closing = True
        for number in range(10):
            ledger.record(counted(number))
        grandchild = os.fork()
        if grandchild == 0:
            signal.pause()
            os._exit(0)
        os.write(writing, b"%d" % grandchild)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    grandchild = int(os.read(reading, 100))
    try:
        recover(tmp_path / "home")
        with running(tmp_path / "home") as ledger:
            assert names(ledger) == [str(number) for number in range(10)]
    finally:
        os.kill(grandchild, signal.SIGKILL)
        os.close(reading)
        os.close(writing)


def test_a_fork_keeps_no_closed_journal_alive(tmp_path: Path) -> None:
    def forked_and_closed() -> "weakref.ref[Journal]":
        journal = small_journal(tmp_path)
        journal.append(BODY)
        drain(journal)
        assert in_child(lambda: expect_forked(lambda: journal.append(BODY))) == 0
        journal.close()
        return weakref.ref(journal)

    gone = forked_and_closed()
    gc.collect()
    assert gone() is None

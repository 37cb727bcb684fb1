"""The end of a process: SIGTERM and a clean exit flush what was recorded; nothing waits for ever."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.ledger import shutdown
from control_plane.ledger.home import Home
from control_plane.ledger.opening import Opened
from tests.ledger.ending import RESULTS
from tests.ledger.killing import ROOT, await_ready
from tests.ledger.running import CATALOGUE, Counted, audited, names, recover, running

ALL = [str(number) for number in range(RESULTS)]


def start(home: Path, way: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.ledger.ending", str(home), way]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def end(home: Path, way: str) -> int:
    """The exit code of a process that ends this way, after SIGTERM when it waits for that."""
    process = start(home, way)
    if way not in {"exit", "exception", "thread"}:
        await_ready(process)
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    return process.returncode


def stored(home: Path) -> list[str]:
    """What is in the log without any recovery."""
    opened = Opened(Home(home), CATALOGUE, Clock())
    try:
        rows = opened.backend.rows(0, 1_000_000)
        events = [CATALOGUE.decode(row[3], row[4]) for row in rows]
        return [event.name for event in events if isinstance(event, Counted)]
    finally:
        opened.close()


@pytest.mark.requirement("LEDGER-62")
@pytest.mark.parametrize("way", ["sigterm", "sigterm-and-exit"])
def test_sigterm_flushes_and_then_kills_as_it_always_does(tmp_path: Path, way: str) -> None:
    assert end(tmp_path / "home", way) == -signal.SIGTERM
    assert stored(tmp_path / "home") == ALL


@pytest.mark.requirement("LEDGER-62")
def test_sigterm_reaches_a_process_that_never_stops_recording(tmp_path: Path) -> None:
    assert end(tmp_path / "home", "busy") == -signal.SIGTERM
    before = stored(tmp_path / "home")
    assert before[:RESULTS] == ALL
    recover(tmp_path / "home")
    assert stored(tmp_path / "home") == [str(number) for number in range(len(stored(tmp_path / "home")))]
    assert audited(tmp_path / "home").ok


@pytest.mark.requirement("LEDGER-63")
@pytest.mark.parametrize(("way", "code"), [("exit", 0), ("exception", 3), ("own-handler", 7)])
def test_an_end_in_good_order_flushes(tmp_path: Path, way: str, code: int) -> None:
    assert end(tmp_path / "home", way) == code
    assert stored(tmp_path / "home") == ALL
    assert not list((tmp_path / "home" / "journal").iterdir())


@pytest.mark.requirement("LEDGER-63")
def test_what_a_last_thread_records_is_flushed_too(tmp_path: Path) -> None:
    assert end(tmp_path / "home", "thread") == 0
    assert stored(tmp_path / "home") == [*ALL, "late"]


def test_a_process_that_closed_its_ledger_dies_of_sigterm_as_before(tmp_path: Path) -> None:
    assert end(tmp_path / "home", "closed") == -signal.SIGTERM


def test_a_database_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    assert end(tmp_path / "home", "hung") == -signal.SIGTERM
    assert recover(tmp_path / "home") == 1
    with running(tmp_path / "home") as ledger:
        assert names(ledger) == [*ALL, "kept"]


def test_the_handler_stands_only_where_none_was_and_goes_with_the_last_ledger(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with running(tmp_path / "one"):
            assert signal.getsignal(signal.SIGTERM) is shutdown._flush_and_die
            with running(tmp_path / "two"):
                pass
            assert signal.getsignal(signal.SIGTERM) is shutdown._flush_and_die
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with running(tmp_path / "one"):
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_opens_without_a_handler(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    seen: list[object] = []

    def work() -> None:
        with running(tmp_path / "home"):
            seen.append(signal.getsignal(signal.SIGTERM))

    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [signal.SIG_DFL]
    finally:
        signal.signal(signal.SIGTERM, before)

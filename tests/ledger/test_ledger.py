"""The two roads into the ledger, and who hears of what they commit."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError

from control_plane.errors import BadInput, Conflict, EventTooLarge, LedgerClosed, LedgerUnavailable, UnknownTopic
from control_plane.ledger.backend import Row
from control_plane.ledger.events import Event
from control_plane.ledger.ledger import Ledger
from tests.ledger.running import audited, counted, names, open_ledger, recover, running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with running(tmp_path / "home") as ledger:
        yield ledger


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def __call__(self, rows: Sequence[Row]) -> None:
        self.rows += rows

    @property
    def positions(self) -> list[int]:
        return [row.position for row in self.rows]


def failing_commit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Commits that are durable and reported as failed, so many times."""
    insert, left = ledger._backend.insert, [times]

    def in_doubt(stream: str, first: int, topics: list[str], states: list[bytes]) -> int:
        position = insert(stream, first, topics, states)
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("disk I/O error")
        return position

    monkeypatch.setattr(ledger._backend, "insert", in_doubt)


@pytest.mark.requirement("LEDGER-61")
def test_a_flush_returns_when_everything_before_it_is_in_the_log_and_was_told(ledger: Ledger) -> None:
    heard = Heard()
    ledger.listen(heard)
    for turn in range(20):
        for number in range(100):
            ledger.record(counted(f"{turn}-{number}"))
        ledger.flush()
        assert len(names(ledger)) == len(heard.rows) == 100 * (turn + 1)
        assert ledger.backlog == 0


@pytest.mark.requirement("LEDGER-64")
def test_close_flushes(tmp_path: Path) -> None:
    with running(tmp_path / "home") as ledger:
        for number in range(3000):
            ledger.record(counted(number))
    with running(tmp_path / "home") as ledger:
        assert names(ledger) == [str(number) for number in range(3000)]


@pytest.mark.requirement("LEDGER-65")
def test_unbuffered_each_record_is_in_the_log_before_it_returns(tmp_path: Path) -> None:
    with running(tmp_path / "home", buffered=False) as ledger:
        for number in range(20):
            ledger.record(counted(number))
            assert names(ledger)[-1] == str(number)


@pytest.mark.requirement("LEDGER-66")
def test_on_the_synchronous_road_the_caller_commits_and_no_thread_runs(tmp_path: Path) -> None:
    before, heard = threading.active_count(), []
    with running(tmp_path / "home", threaded=False) as ledger:
        ledger.listen(lambda rows: heard.append(threading.current_thread()))
        for number in range(5):
            ledger.record(counted(number))
            assert names(ledger)[-1] == str(number)
        assert threading.active_count() == before
        assert set(heard) == {threading.current_thread()}


def test_both_roads_are_told_in_the_order_of_positions(ledger: Ledger) -> None:
    heard = Heard()
    ledger.listen(heard)

    def direct(thread: int) -> None:
        for number in range(60):
            ledger.append(f"direct-{thread}", [counted(f"{thread}-{number}"), counted("second")])

    def journal() -> None:
        for number in range(3000):
            ledger.record(counted(number))

    threads = [threading.Thread(target=direct, args=(thread,)) for thread in range(3)] + [
        threading.Thread(target=journal)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.flush()
    assert heard.positions == list(range(2, 2 + 3 * 60 * 2 + 3000))
    assert heard.rows == [Row(*row) for row in ledger.rows(1, 10_000)]


def test_an_append_returns_after_its_listeners_were_called(ledger: Ledger) -> None:
    heard = Heard()
    ledger.listen(heard)
    for number in range(10):
        assert heard.rows[-1:] != [counted(number)]
        position = ledger.append("s", [counted(number)])
        assert heard.positions[-1] == position


def test_a_listener_may_append_and_flush(ledger: Ledger) -> None:
    heard = Heard()

    def answer(rows: Sequence[Row]) -> None:
        for row in rows:
            if row.stream == "question":
                ledger.append("answer", [counted(f"answer to {row.version}")])
                ledger.record(counted("noted"))
                ledger.flush()

    ledger.listen(answer)
    ledger.listen(heard)
    for number in range(5):
        ledger.append("question", [counted(number)])
    ledger.flush()
    assert sorted(row.stream for row in heard.rows if row.stream in {"answer", "question"}) == sorted(
        ["answer", "question"] * 5
    )
    assert heard.positions == sorted(heard.positions)
    assert len(names(ledger)) == 15


def test_a_listener_that_fails_hurts_nobody(ledger: Ledger) -> None:
    heard = Heard()

    def fail(rows: Sequence[Row]) -> None:
        raise ValueError("a bad fold")

    ledger.listen(fail)
    ledger.listen(heard)
    ledger.append("s", [counted("direct")])
    for number in range(10):
        ledger.record(counted(number))
        ledger.flush()
    assert len(heard.rows) == 11
    assert ledger.counters.listener_faults == 11
    assert "a bad fold" in ledger.counters.last_fault
    assert ledger.counters.failing_for == 0


@pytest.mark.requirement("LEDGER-48", "LEDGER-124")
def test_a_batch_that_was_stored_but_reported_as_failed_is_there_once_and_told_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    ledger.listen(heard)
    failing_commit(ledger, monkeypatch, times=3)
    for number in range(100):
        ledger.record(counted(number))
    ledger.flush()
    assert names(ledger) == [str(number) for number in range(100)]
    assert ledger.counters.doubts >= 1
    assert heard.positions == list(range(2, 102))


@pytest.mark.requirement("LEDGER-124")
def test_an_append_that_was_stored_but_reported_as_failed_succeeds(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_commit(ledger, monkeypatch, times=1)
    first = ledger.append("s", [counted("one"), counted("two")], expected=0)
    assert names(ledger) == ["one", "two"]
    assert ledger.append("s", [counted("three")], expected=2) == first + 2


def test_an_append_that_was_not_stored_says_so(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(ledger._backend, "insert", fail)
        with pytest.raises(LedgerUnavailable, match="disk I/O error"):
            ledger.append("s", [counted("one")])
    ledger.append("s", [counted("two")])
    assert names(ledger) == ["two"]


def test_a_version_that_somebody_else_wrote_is_a_conflict(ledger: Ledger) -> None:
    ledger.append("s", [counted("one")], expected=0)
    with pytest.raises(Conflict):
        ledger.append("s", [counted("mine")], expected=0)
    assert names(ledger) == ["one"]


class Unlisted(Event, frozen=True, kw_only=True):
    TOPIC = "router.unlisted"


@pytest.mark.parametrize("road", ["record", "append"])
def test_bad_input_is_refused_before_anything_is_written(ledger: Ledger, road: str) -> None:
    write: Callable[[Event], object] = ledger.record if road == "record" else lambda event: ledger.append("s", [event])
    with pytest.raises(UnknownTopic):
        write(Unlisted(at=1.0))
    with pytest.raises(EventTooLarge):
        write(counted("x" * 70_000))
    with pytest.raises(BadInput):
        ledger.append("s", [])
    ledger.flush()
    assert ledger.size() == 1
    assert ledger.backlog == 0


def test_the_largest_event_goes_both_roads_and_verifies(tmp_path: Path) -> None:
    with running(tmp_path / "home") as ledger:
        room = 65_535 - 512 - len(ledger.catalogue.encode(counted(""))) - len("router.counted") - 1
        ledger.record(counted("x" * room))
        ledger.append("s", [counted("y" * room)])
        ledger.flush()
        assert sorted(map(len, names(ledger))) == [room, room]
    assert audited(tmp_path / "home").ok


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "home")
    ledger.close()
    ledger.close()
    for call in (
        lambda: ledger.record(counted(1)),
        lambda: ledger.append("s", [counted(1)]),
        ledger.flush,
        ledger.read,
        ledger.rows,
        ledger.size,
        ledger.changed,
        ledger.checkpoint,
        lambda: ledger.prove(1),
    ):
        with pytest.raises(LedgerClosed):
            call()


def test_a_close_that_cannot_commit_keeps_everything_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path / "home")

    def fail(*_: object) -> int:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(ledger._backend, "insert", fail)
    for number in range(100):
        ledger.record(counted(number))
    with pytest.raises(LedgerUnavailable, match="100 events wait"):
        ledger.close()
    assert recover(tmp_path / "home") == 100
    with running(tmp_path / "home") as ledger:
        assert names(ledger) == [str(number) for number in range(100)]

"""Recovery: what a dead writer left is committed once, holes are reported, damage is set aside."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.errors import HomeReadOnly
from control_plane.ledger.facts import JournalRecovered
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.recovery import Recovered, join_body, recover_journals, split_body
from control_plane.ledger.segment import HEADER_BYTES
from control_plane.ledger.writer_folder import LOCK
from tests.ledger.journals import small_journal
from tests.ledger.running import CATALOGUE, Counted, audited, counted, names, recover, running

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    with running(tmp_path / "home"):
        pass
    return Home(tmp_path / "home")


def frame(name: object) -> bytes:
    return join_body(Counted.TOPIC) + CATALOGUE.encode(counted(name))


def leave(home: Home, *bodies: bytes, committed: int = 0) -> Path:
    """A journal whose writer is gone; its folder."""
    journal = Journal(home.journal, segments=2, segment_bytes=1 << 20)
    for body in bodies:
        journal.append(body)
    journal.release(journal.take(committed))
    journal.close()
    return home.journal / journal.writer


def reports(ledger: Ledger) -> list[JournalRecovered]:
    return [row.event for row in ledger.read(0, 10_000) if isinstance(row.event, JournalRecovered)]


@pytest.mark.requirement("LEDGER-48")
def test_what_was_left_is_committed_once(home: Home) -> None:
    leave(home, *map(frame, range(50)))
    assert recover(home.root) == 50
    assert recover(home.root) == 0
    with running(home.root) as ledger:
        assert names(ledger) == [str(number) for number in range(50)]
        assert [(report.frames, report.damaged) for report in reports(ledger)] == [(50, 0)]
    assert audited(home.root).ok
    assert not list(home.journal.iterdir())


@pytest.mark.requirement("LEDGER-48")
def test_what_was_committed_before_is_not_committed_again(home: Home) -> None:
    """The writer died between its commit and its release."""
    folder = leave(home, *map(frame, range(20)))
    with running(home.root, threaded=False) as ledger:
        before = names(ledger)
    assert before == [str(number) for number in range(20)]
    again = leave(home, *map(frame, range(20)))
    again.rename(folder)
    with running(home.root) as ledger:
        assert names(ledger) == before


@pytest.mark.requirement("LEDGER-48")
def test_a_recovery_that_dies_between_two_runs_is_taken_up(home: Home) -> None:
    folder = leave(home, *map(frame, range(5000)))
    opened = _opened(home)
    with pytest.raises(_Died):
        recover_journals(home.journal, home.damaged, _Dying(opened.backend))
    assert opened.backend.stored_upto(folder.name) == 2048
    opened.close()
    assert recover(home.root) == 5000 - 2048
    with running(home.root) as ledger:
        assert names(ledger) == [str(number) for number in range(5000)]


@pytest.mark.requirement("LEDGER-54", "LEDGER-55")
@pytest.mark.parametrize("damage", ["torn", "flipped", "zeroed", "header"])
def test_damage_is_reported_and_set_aside_and_never_an_event(home: Home, damage: str) -> None:
    folder = leave(home, *map(frame, range(30)))
    segment = next(path for path in sorted(folder.glob("*.segment")) if path.read_bytes()[:HEADER_BYTES].strip(b"\0"))
    content = bytearray(segment.read_bytes())
    length = len(frame(0)) + 12
    match damage:
        case "torn":
            end = len(content.rstrip(b"\0"))
            content[end - 5 : end] = bytes(5)
            left = 29
        case "flipped":
            content[HEADER_BYTES + 3 * length + 20] ^= 0x10
            left = 29
        case "zeroed":
            content[HEADER_BYTES + 3 * length : HEADER_BYTES + 5 * length] = bytes(2 * length)
            left = 28
        case _:
            content[:HEADER_BYTES] = b"?" * HEADER_BYTES
            left = 0
    segment.write_bytes(content)
    assert recover(home.root) == left
    with running(home.root) as ledger:
        assert len(names(ledger)) == left
        assert set(names(ledger)) < {str(number) for number in range(30)}
        assert [(report.frames, report.damaged) for report in reports(ledger)] == [(left, 1)]
    assert (home.damaged / folder.name / segment.name).read_bytes() == bytes(content)
    assert not list(home.journal.iterdir())
    assert audited(home.root).ok


def test_a_segment_that_is_missing_is_reported(home: Home) -> None:
    journal = small_journal(home.journal)
    body = frame("x" * 20)
    while len(list(_used(home.journal / journal.writer))) < 3:
        journal.append(body[:88].ljust(88, b" "))
    journal.close()
    sorted(_used(home.journal / journal.writer))[1].unlink()
    found: list[Recovered] = []
    opened = _opened(home)
    recover_journals(home.journal, home.damaged, opened.backend, found.append)
    opened.close()
    assert [(report.frames, report.damaged) for report in found] == [(11, 1)]


def test_a_living_writer_is_passed_over(home: Home) -> None:
    with running(home.root) as ledger:
        ledger.record(counted("mine"))
        assert recover(home.root) == 0
        ledger.flush()
        assert names(ledger) == ["mine"]


def test_two_processes_may_recover_at_the_same_time(home: Home) -> None:
    for number in range(4):
        leave(home, *(frame(f"{number}-{event}") for event in range(300)))
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                recover(home.root)
            except BaseException:  # a forked test must never return
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    with running(home.root) as ledger:
        assert sorted(names(ledger)) == sorted(f"{number}-{event}" for number in range(4) for event in range(300))
        assert len(reports(ledger)) == 4


@pytest.mark.parametrize("left", [(), (LOCK,), ("0000.segment",), (LOCK, "0000.segment")])
def test_a_folder_over_which_somebody_died_is_cleared_away(home: Home, left: tuple[str, ...]) -> None:
    folder = home.journal / ("0" * 32)
    folder.mkdir(parents=True)
    for name in left:
        (folder / name).write_bytes(b"\0" * 4096 if name != LOCK else b"")
    assert recover(home.root) == 0
    assert not folder.exists()


def test_a_journal_that_just_appears_is_never_taken_for_a_dead_one(home: Home) -> None:
    """Journals come and go while somebody recovers without a pause."""
    child = os.fork()
    if child == 0:
        try:
            for _ in range(200):
                journal = Journal(home.journal, segments=1, segment_bytes=4096)
                journal.append(frame("x"))
                assert (home.journal / journal.writer / LOCK).exists()
                journal.release(journal.take(1))
                journal.close()
        except BaseException:  # a forked test must never return
            os._exit(1)
        os._exit(0)
    found = 0
    opened = _opened(home)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        found += len(recover_journals(home.journal, home.damaged, opened.backend))
    opened.close()
    assert found == 0


def test_a_frame_that_is_no_event_is_set_aside(home: Home) -> None:
    folder = leave(home, frame("good"), b"\xff\xfe", frame("also good"))
    assert recover(home.root) == 2
    with running(home.root) as ledger:
        assert names(ledger) == ["good", "also good"]
        assert [(report.frames, report.damaged) for report in reports(ledger)] == [(2, 1)]
    assert (home.damaged / folder.name).is_dir()


def test_a_report_is_written_before_its_journal_goes(home: Home) -> None:
    folder = leave(home, frame("left"))

    def die(_: Recovered) -> None:
        assert folder.exists()
        raise _Died

    opened = _opened(home)
    with pytest.raises(_Died):
        recover_journals(home.journal, home.damaged, opened.backend, die)
    opened.close()
    assert folder.exists()


def test_damage_of_the_same_writer_is_kept_twice_if_need_be(home: Home) -> None:
    folder = leave(home, b"\xff")
    (home.damaged / folder.name).mkdir(parents=True)
    (home.damaged / folder.name / "earlier").touch()
    recover(home.root)
    assert not folder.exists()
    assert (home.damaged / folder.name / "earlier").exists()


def test_bodies_are_split_as_they_were_joined() -> None:
    assert split_body(join_body("router.größe") + b"state") == ("router.größe", b"state")


def test_a_journal_that_cannot_be_read_is_a_coded_error(home: Home) -> None:
    folder = leave(home, frame("x"))
    for path in folder.glob("*.segment"):
        path.unlink()
        path.mkdir()
    with pytest.raises(HomeReadOnly):
        recover(home.root)


class _Died(Exception):
    pass


class _Dying:
    """A database in which the second insert of this process never happens."""

    def __init__(self, backend: object) -> None:
        self._backend, self._inserts = backend, 0

    def __getattr__(self, name: str) -> Callable[..., object]:
        found: Callable[..., object] = getattr(self._backend, name)
        return found

    def insert(self, *args: object) -> object:
        self._inserts += 1
        if self._inserts == 2:
            raise _Died
        return self._backend.insert(*args)  # type: ignore[attr-defined]


def _opened(home: Home):
    from control_plane.clock import Clock
    from control_plane.ledger.opening import Opened

    return Opened(home, CATALOGUE, Clock())


def _used(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.segment")) if path.read_bytes()[:HEADER_BYTES].strip(b"\0")]

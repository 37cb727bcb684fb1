"""Faults of disk and lock: the caller is told or the journal holds it, nothing is lost, and it heals by itself."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from control_plane.errors import LedgerUnavailable
from tests.ledger.faults import (
    REFUSED,
    CannotPlant,
    check_holds,
    check_survives,
    file_size_limit,
    full_disk,
    injected,
    locked,
    make_read_only,
    obedient,
    own_disk,
)
from tests.ledger.running import audited, counted, names, recover, running

CouldNotRun = Callable[[str], NoReturn]


def answer_to_opening(home: Path) -> str:
    with obedient(home) as process:
        return process.opened


@pytest.mark.requirement("LEDGER-69", "LEDGER-70")
def test_a_locked_database_loses_nothing(tmp_path: Path) -> None:
    check_survives(tmp_path / "home", locked)


@pytest.mark.requirement("LEDGER-67", "LEDGER-70", "LEDGER-124")
def test_a_limit_on_the_size_of_files_loses_nothing(tmp_path: Path) -> None:
    check_survives(tmp_path / "home", file_size_limit)


@pytest.mark.requirement("LEDGER-67", "LEDGER-70")
def test_a_full_database_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "home") as ledger:
        ledger.append("s", [counted("before")])
        with ledger._opened._datastore.get_connection(commit=True) as connection:  # type: ignore[attr-defined]
            connection.cursor().execute("PRAGMA max_page_count = 1")
        for number in range(2000):
            ledger.record(counted(number))
        with pytest.raises(LedgerUnavailable, match="full"):
            ledger.append("s", [counted("x" * 60_000)])
        with pytest.raises(LedgerUnavailable, match="full"):
            ledger.flush()
        assert ledger.backlog > 0
        with ledger._opened._datastore.get_connection(commit=True) as connection:  # type: ignore[attr-defined]
            connection.cursor().execute("PRAGMA max_page_count = 1000000")
        ledger.flush()
    check_holds(tmp_path / "home", ["before", *map(str, range(2000))])


@pytest.mark.requirement("LEDGER-49", "LEDGER-67", "LEDGER-70")
def test_a_full_disk_loses_nothing_and_kills_nobody(tmp_path: Path, could_not_run: CouldNotRun) -> None:
    with noting(could_not_run), own_disk(tmp_path / "disk", 24) as disk:
        home = disk / "home"
        check_survives(home, full_disk)
        with obedient(home) as process, full_disk(process):
            # Whoever opens now has no room for a journal: told so, and nothing is left behind.
            before = sorted((home / "journal").iterdir())
            assert answer_to_opening(home) in REFUSED
            assert sorted((home / "journal").iterdir()) == before
            assert process.ask("record 3000 3500") == "ok"
        recover(home)
        check_holds(home, ["after", *map(str, range(3500))])


@pytest.mark.requirement("LEDGER-68", "LEDGER-70")
def test_a_home_on_a_read_only_disk_is_refused_and_left_alone(tmp_path: Path, could_not_run: CouldNotRun) -> None:
    with noting(could_not_run), own_disk(tmp_path / "disk", 24) as disk:
        home = disk / "home"
        with obedient(home) as process:
            process.ask("record 0 100")
            assert process.ask("close") == "ok"
        make_read_only(disk)
        assert answer_to_opening(home) == "home.read-only"
        assert answer_to_opening(disk / "new") == "home.read-only"
        assert audited(home).ok


INJECTED = {
    "fsync fails": ["fsync:error=EIO", "fdatasync:error=EIO"],
    "writes fail": ["pwrite64:error=EIO"],
    "writes find a read-only disk": ["pwrite64:error=EROFS"],
    "writes find no room": ["pwrite64:error=ENOSPC"],
}


@pytest.mark.requirement("LEDGER-67", "LEDGER-68", "LEDGER-70", "LEDGER-124")
@pytest.mark.parametrize("injections", INJECTED.values(), ids=INJECTED)
def test_system_calls_that_fail_lose_nothing(tmp_path: Path, injections: list[str], could_not_run: CouldNotRun) -> None:
    with noting(could_not_run):
        check_survives(tmp_path / "home", lambda process: injected(process, *injections))


SOMETIMES = {
    "every third fsync fails": ["fsync:error=EIO:when=1+3", "fdatasync:error=EIO:when=1+3"],
    "every fifth write fails": ["pwrite64:error=EIO:when=2+5"],
    "fsync is slow": ["fsync:delay_enter=20000", "fdatasync:delay_enter=20000"],
    "writes are slow": ["pwrite64:delay_enter=500"],
}


@pytest.mark.requirement("LEDGER-124", "LEDGER-125")
@pytest.mark.parametrize("injections", SOMETIMES.values(), ids=SOMETIMES)
def test_system_calls_that_are_slow_or_fail_now_and_then_lose_and_double_nothing(
    tmp_path: Path, injections: list[str], could_not_run: CouldNotRun
) -> None:
    home, acknowledged = tmp_path / "home", list[str]()
    with noting(could_not_run), obedient(home) as process:
        with injected(process, *injections):
            for turn in range(10):
                assert process.ask(f"record {turn * 200} {turn * 200 + 200}") == "ok"
                if process.ask(f"append direct-{turn}") == "ok":
                    acknowledged.append(f"direct-{turn}")
        assert process.ask("flush") == "ok"
        assert process.ask("close") == "ok"
        check_holds(home, [*acknowledged, *map(str, range(2000))])


@pytest.mark.requirement("LEDGER-47", "LEDGER-67")
def test_a_process_killed_during_a_fault_loses_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with obedient(home) as process:
        fault = file_size_limit(process)
        fault.__enter__()
        assert process.ask("record 0 500") == "ok"
        assert process.ask("flush") in REFUSED
        process.process.kill()
        process.process.communicate()
    assert recover(home) == 500
    check_holds(home, list(map(str, range(500))))


def test_a_connection_that_cannot_be_made_does_not_block_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "home") as ledger:
        pool = ledger._opened._datastore.pool  # type: ignore[attr-defined]
        while pool._pool:
            pool._pool.popleft().close()
        name = pool.db_name
        pool.db_name = f"file:{tmp_path}/nowhere/ledger.db"
        with pytest.raises(LedgerUnavailable):
            ledger.append("s", [counted("one")])
        pool.db_name = name
        ledger.append("s", [counted("two")])
        assert names(ledger) == ["two"]


@contextlib.contextmanager
def noting(could_not_run: CouldNotRun) -> Iterator[None]:
    """What this machine cannot show is said at the end of the run, not hidden."""
    try:
        yield
    except CannotPlant as lacking:
        could_not_run(str(lacking))

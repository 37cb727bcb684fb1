"""A database that was deleted or replaced under a running process: told at once, and the journal is kept."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Task
from control_plane.errors import LedgerUnavailable
from tests.ledger.faults import Fault, backed_up, check_holds, check_survives, moved_away, obedient, replaced
from tests.ledger.running import counted, names, open_ledger, recover


def files_of(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.name in ("ledger.db", "ledger.db-wal", "ledger.db-shm")]


def delete(home: Path) -> None:
    for path in files_of(home):
        path.unlink()


def put_another_there(home: Path) -> None:
    delete(home)
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        connection.execute("CREATE TABLE other (id)")


@pytest.mark.parametrize("fault", [moved_away, replaced])
def test_while_another_file_or_none_lies_there_nothing_is_lost(tmp_path: Path, fault: Fault) -> None:
    check_survives(tmp_path / "home", fault)


@pytest.mark.parametrize("vanish", [delete, put_another_there])
@pytest.mark.parametrize("more", [0, 500])
def test_what_the_journal_still_holds_comes_back_with_a_backup(
    tmp_path: Path, vanish: Callable[[Path], None], more: int
) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    with obedient(home) as process:
        assert process.opened == "ok"
        assert process.ask("record 0 100") == "ok"
        assert process.ask("flush") == "ok"
        backed_up(home / "ledger.db", backup)
        # Committed, and nowhere but in the file that goes now.
        assert process.ask("record 100 1000") == "ok"
        assert process.ask("flush") == "ok"
        vanish(home)
        assert process.ask("append refused") == "ledger.unavailable"
        assert process.ask(f"record 1000 {1000 + more}") == "ok"
        assert process.ask("flush") == ("ledger.unavailable" if more else "ok")
        assert process.ask("close") == "ledger.unavailable"
        assert process.end() == 0
    delete(home)
    backup.rename(home / "ledger.db")
    assert recover(home) == 900 + more
    check_holds(home, [str(number) for number in range(1000 + more)])


def test_the_fault_says_which_file_and_what_to_do(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "home", threaded=False)
    (tmp_path / "home" / "ledger.db").rename(tmp_path / "away")
    with pytest.raises(LedgerUnavailable, match="No such file") as told:
        ledger.append("s", [counted("refused")])
    assert str(tmp_path / "home" / "ledger.db") in told.value.what
    assert "newest backup" in told.value.cure
    (tmp_path / "away").rename(tmp_path / "home" / "ledger.db")
    ledger.append("s", [counted("after")])
    assert names(ledger) == ["after"]
    ledger.close()


def test_a_plane_is_not_ready_at_once_although_nothing_waits(tmp_path: Path) -> None:
    arms = [Arm("a", model="x/a", price_in=1, price_out=1)]
    with ControlPlane.open(tmp_path / "home", catalogue=arms) as plane:
        plane.record_result(plane.advise(Task(type="t")).decision_id, success=True)
        plane.flush()
        assert plane.not_ready() == ""
        (tmp_path / "home" / "ledger.db").rename(tmp_path / "away")
        assert "no longer the database that was opened" in plane.not_ready()
        plane.advise(Task(type="t"))
        with pytest.raises(LedgerUnavailable, match="no longer the database that was opened"):
            plane.flush()
        (tmp_path / "away").rename(tmp_path / "home" / "ledger.db")
        plane.flush()
        assert plane.not_ready() == ""

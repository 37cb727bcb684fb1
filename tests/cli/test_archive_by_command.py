"""The beginning of the log is archived by command; nothing else looks different afterwards."""

import datetime

import pytest

from control_plane.cli.commands.ledger_archive import boundary
from control_plane.ledger.home import Home
from tests.cli.conftest import Run, grow


@pytest.mark.requirement("LEDGER-90")
@pytest.mark.parametrize("before", ["600", "2100-01-01"])
def test_archived_events_stay_within_reach_of_every_command(home: Home, run: Run, before: str) -> None:
    grow(home, 700)
    exported = run("ledger", "export").out
    ran = run("ledger", "archive", "--before", before, "--json")
    assert (ran.code, ran.json()["through"], ran.json()["moved"]) == (0, 512, 512)
    assert len([path for path in home.archive.rglob("*") if path.is_file()]) == 2
    assert run("ledger", "verify", "--json").json()["ok"]
    assert run("ledger", "export").out.startswith(exported)
    assert run("ledger", "prove", "5").code == 0
    assert run("ledger", "rotate-key").code == 0
    grow(home, 1)
    assert run("ledger", "verify", "--json").json()["ok"]
    again = run("ledger", "archive", "--before", "300", "--json")
    assert again.json() == {"through": 512, "moved": 0, "compacted": False}


@pytest.mark.requirement("LEDGER-90")
def test_nothing_is_archived_of_a_log_that_does_not_verify(home: Home, run: Run) -> None:
    grow(home, 700)
    from tests.cli.test_ledger_by_command import change

    change(home, "UPDATE stored_events SET state = x'7b7d' WHERE rowid = 650")
    ran = run("ledger", "archive", "--before", "600", "--json")
    assert (ran.code, ran.error()["code"]) == (1, "ledger.damaged")
    assert not home.archive.exists()


@pytest.mark.parametrize("before", ["", "0", "-1", "soon", "2026-13-01", "1.5", "١", "9" * 40])
def test_a_boundary_that_is_none_is_refused(home: Home, run: Run, before: str) -> None:
    ran = run("ledger", "archive", f"--before={before}", "--json")
    assert (ran.code, ran.error()["code"]) == (2, "input.invalid")


def test_a_day_begins_at_midnight_utc() -> None:
    midnight = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
    assert boundary("2026-01-31") == midnight
    assert boundary("2026-01-31T02:00+02:00") == midnight
    assert boundary("20260131") == 20260131

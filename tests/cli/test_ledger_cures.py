"""What the ledger refuses, with the cure that works on this kind of home."""

import shutil

from control_plane.ledger.home import Home
from control_plane.ledger.keys import create_key
from tests.cli.conftest import Run


def test_a_key_file_with_any_byte_flipped_is_refused_with_a_cure(home: Home, run: Run) -> None:
    whole = home.key.read_bytes()
    for at in range(0, len(whole), 3):
        home.key.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        ran = run("ledger", "key", "--own", "--json")
        if ran.code:
            assert ran.error()["code"] == "key.missing"
            assert "recover-key" in ran.error()["cure"]


def test_a_key_of_another_ledger_is_restored_or_recovered(home: Home, run: Run) -> None:
    home.key.unlink()
    create_key(home.key, home.identity().origin)
    error = run("advise", "--task-type", "code.fix", "--json").error()
    assert (error["code"], "restore the key" in error["cure"]) == ("key.unknown", True)
    assert "recover-key" in error["cure"]


def test_the_reset_that_a_rollback_names_runs_as_it_stands(home: Home, run: Run) -> None:
    before = home.database.read_bytes()
    assert run("advise", "--task-type", "code.fix").code == 0
    for rest in ("-wal", "-shm"):
        home.database.with_name(f"ledger.db{rest}").unlink(missing_ok=True)
    shutil.rmtree(home.journal, ignore_errors=True)
    home.database.write_bytes(before)
    assert "ledger witness --reset --yes" in run("advise", "--task-type", "code.fix", "--json").error()["cure"]
    assert run("ledger", "witness", "--reset", "--yes").code == 0

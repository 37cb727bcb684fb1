"""What the operating system refuses: the file that has to be mended is named, and what mends it."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from tests.ledger.faults import CannotPlant, own_disk
from tests.ledger.killing import ROOT

CouldNotRun = Callable[[str], NoReturn]


class Told(NamedTuple):
    code: int
    said: str


Command = Callable[..., Told]


@pytest.fixture
def command(tmp_path: Path, could_not_run: CouldNotRun) -> Command:
    """A command in a process that may only what its user may: root without its powers."""
    weak: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            could_not_run("root cannot lay down its powers: setpriv is not installed")
        weak = ["setpriv", "--bounding-set=-all"]

    def command(*words: str, largest_file: int | None = None) -> Told:
        def limit() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        ran = subprocess.run(
            [*weak, sys.executable, "-m", "control_plane", *words],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, preexec_fn=limit,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return Told(ran.returncode, ran.stdout + ran.stderr)

    return command


@pytest.fixture
def home(tmp_path: Path, command: Command) -> Path:
    assert command("init", "--home", str(tmp_path / "home")).code == 0
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path / "home"


def advise(command: Command, home: Path) -> Told:
    return command("advise", "--task-type", "x", "--home", str(home))


def test_a_file_beside_the_database_that_kept_its_old_rights_is_named(home: Path, command: Command) -> None:
    (home / "ledger.db").chmod(0o444)
    assert advise(command, home).code == 2
    (home / "ledger.db").chmod(0o644)
    told = advise(command, home)
    assert f"chmod u+rw {home / 'ledger.db-shm'}" in told.said
    for path in home.glob("ledger.db-*"):
        path.chmod(0o644)
    assert advise(command, home).code == 0


def test_a_database_that_may_not_be_read_is_a_matter_of_rights(home: Path, command: Command) -> None:
    (home / "ledger.db").chmod(0)
    for words in (["stats"], ["ledger", "verify"]):
        told = command(*words, "--home", str(home))
        assert f"chmod u+rw {home / 'ledger.db'}" in told.said
        assert "home.read-only" in told.said
        assert "try again" not in told.said


@pytest.mark.parametrize("content", [b"", b"SQLite format 3", b"hello " * 1000])
def test_every_command_says_the_same_of_a_database_that_is_no_more(
    home: Path, command: Command, content: bytes
) -> None:
    (home / "ledger.db").write_bytes(content)
    stats = command("stats", "--home", str(home))
    assert stats.code == 1
    assert "restore a backup [ledger.damaged]" in stats.said
    assert command("ledger", "verify", "--home", str(home)).code == 1


def test_a_home_on_a_full_disk_asks_for_room(tmp_path: Path, command: Command, could_not_run: CouldNotRun) -> None:
    try:
        with own_disk(tmp_path / "disk", 1) as disk:
            for free in (0, 16, 60):
                (disk / "filler").write_bytes(bytes((1 << 20) - (free << 10)))
                told = command("init", "--home", str(disk / "home"))
                assert told.code == 2
                assert "free some disk" in told.said
                (disk / "filler").unlink()
                shutil.rmtree(disk / "home", ignore_errors=True)
    except CannotPlant as fault:
        could_not_run(str(fault))


def test_a_limit_on_the_size_of_files_names_the_limit(tmp_path: Path, home: Path, command: Command) -> None:
    made = command("init", "--home", str(tmp_path / "other"), largest_file=16 << 10)
    opened = command("advise", "--task-type", "x", "--home", str(home), largest_file=1 << 20)
    for told in (made, opened):
        assert told.code == 2
        assert "ulimit -f" in told.said

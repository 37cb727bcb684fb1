"""Faults at the boundary of the operating system, as contexts: planted on entry, gone on exit."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.ledger.killing import ROOT
from tests.ledger.running import audited, names, running

Fault = Callable[["Obedient"], AbstractContextManager[None]]
REFUSED = {"ledger.unavailable", "home.read-only"}


class CannotPlant(Exception):
    """This machine lacks what the fault needs."""


class Obedient:
    """A process with a ledger, asked line by line."""

    def __init__(self, home: Path, mode: str) -> None:
        self.home = home
        command = [sys.executable, "-m", "tests.ledger.obeying", str(home), mode]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.opened = self._answer()

    def ask(self, line: str) -> str:
        """`ok`, or the code of the error that the call raised."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        return self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        self.process.communicate(timeout=60)
        return self.process.returncode


@contextlib.contextmanager
def obedient(home: Path, mode: str = "honest") -> Iterator[Obedient]:
    process = Obedient(home, mode)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.communicate()


@contextlib.contextmanager
def locked(process: Obedient) -> Iterator[None]:
    """Somebody else holds the write lock of the database."""
    connection = sqlite3.connect(process.home / "ledger.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.rollback()
    connection.close()


@contextlib.contextmanager
def file_size_limit(process: Obedient) -> Iterator[None]:
    """No file may grow beyond a page: the database's log cannot be written."""
    assert process.ask("limit 4096") == "ok"
    yield
    assert process.ask("limit -1") == "ok"


@contextlib.contextmanager
def full_disk(process: Obedient) -> Iterator[None]:
    """Another file takes all that is left of the disk, page by page."""
    filler = process.home.parent / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextlib.contextmanager
def moved_away(process: Obedient) -> Iterator[None]:
    """The database is no longer at its path, and comes back."""
    database = process.home / "ledger.db"
    database.rename(database.with_suffix(".away"))
    yield
    database.with_suffix(".away").rename(database)


@contextlib.contextmanager
def replaced(process: Obedient) -> Iterator[None]:
    """Another database lies at its path for a while: a flawless copy of its own."""
    database = process.home / "ledger.db"
    copy = database.with_suffix(".copy")
    backed_up(database, copy)
    database.rename(database.with_suffix(".away"))
    copy.rename(database)
    yield
    database.with_suffix(".away").rename(database)


def backed_up(database: Path, to: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target)


@contextlib.contextmanager
def injected(process: Obedient, *injections: str) -> Iterator[None]:
    """System calls of the running process fail or are slow, as strace's own words say."""
    if shutil.which("strace") is None:
        raise CannotPlant("strace is not installed")
    calls = ",".join(injection.partition(":")[0] for injection in injections)
    options = [option for injection in injections for option in ("-e", f"inject={injection}")]
    command = ["strace", "-f", "-o", os.devnull, "-e", f"trace={calls}", *options, "-p", str(process.process.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    if "attached" not in tracer.stderr.readline():
        tracer.communicate()
        raise CannotPlant("strace may not trace a process here")
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()


@contextlib.contextmanager
def own_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small file system of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise CannotPlant("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def check_survives(home: Path, fault: Fault, mode: str = "honest") -> None:
    """Told while it lasts, kept in the journal, committed once when it is gone."""
    with obedient(home, mode) as process:
        assert process.opened == "ok"
        assert process.ask("record 0 1000") == "ok"
        assert process.ask("flush") == "ok"
        with fault(process):
            assert process.ask("append refused") in REFUSED
            assert process.ask("record 1000 3000") == "ok"
            assert process.ask("flush") in REFUSED
        # Nobody restarts anything: the next flush finds the fault gone.
        assert process.ask("flush") == "ok"
        assert process.ask("append after") == "ok"
        assert process.ask("close") == "ok"
    check_holds(home, ["after", *map(str, range(3000))])


def check_holds(home: Path, expected: list[str]) -> None:
    with running(home, segments=2) as ledger:
        assert sorted(names(ledger)) == sorted(expected)
    assert audited(home).ok

"""FG-01: a result whose `record_result` returned is in the ledger, once, whatever kills the process.

usage: python scripts/perf/fg01_stats_durability.py [--quick] [--json] [--metrics DIR]
"""

import contextlib
import itertools
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from control_plane import ControlPlane, Task
from control_plane.errors import LedgerUnavailable
from control_plane.evidence import Rollback, at_least, at_most, equal
from control_plane.flags import Flags
from control_plane.ledger.committer import TRIES
from control_plane.proving import Findings, Latencies, Process, arms, flags, run_proof, temporary_home
from control_plane.proving.processes import say
from control_plane.router.events import ResultRecorded

FLAG = "OPENCODE_ROUTER_BUFFERED_STATS"
SCRIPT = "scripts/perf/fg01_stats_durability.py"
RAPID, KILLS = 100, 2
FAULTS = ("lose-results", "double-results", "give-up")


class Killed(msgspec.Struct):
    """Over all kills: results whose call had returned, those of them that are missing, those that are there twice."""

    kills: int = 0
    ended_before: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    recovered: int = 0


class Road(msgspec.Struct):
    """Some rapid results under one setting of the flag."""

    took: Latencies
    committed_on_return: int
    after_restart: int


class Refused(msgspec.Struct):
    """What became of results while the database refused to be written."""

    tries: int
    raised: int
    waiting: int
    stored: int
    counted: int


def write_until_killed(told: dict[str, Any]) -> None:
    """Record results without end and note each one whose call returned; a system call, so a kill cannot undo it."""
    note = os.open(told["note"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    task = Task(type="code.fix", repo="acme/api")
    with ControlPlane.open(told["home"], catalogue=arms(10), flags=flags()) as plane:
        # However slow the machine is, the kill finds it at work; with nobody there to listen, saying something fails.
        for number in itertools.count(1):
            decision = plane.advise(task).decision_id
            if not (told["fault"] == "lose-results" and number % 100 == 0):
                plane.record_result(decision, success=True, latency_ms=100.0 + number % 50, cost_usd=0.01)
            if told["fault"] == "double-results" and number % 100 == 0:
                plane.record(ResultRecorded(at=time.time(), arm="somebody", task_type="code.fix", decision=decision))
            os.write(note, f"{decision}\n".encode())
            if told["fault"] == "give-up" and number == 100:
                return
            if number % 250 == 0:
                say(recorded=number)


def kill_at_random(home: Path, results: int, chance: random.Random, fault: str) -> Killed:
    found = Killed()
    with tempfile.TemporaryDirectory() as folder:
        while (found.acknowledged < results or found.kills < KILLS) and found.ended_before < KILLS:
            note = Path(folder) / "note.txt"
            note.write_text("")
            goal = chance.randrange(250, 1 + max(500, results // 3))
            told = {"home": str(home), "note": str(note), "fault": fault}
            process = Process(Path(__file__), "writer", told)
            for line in process.lines():
                if line["recorded"] >= goal:
                    break
            # Between two lines, too: not always at the same place of its loop.
            threading.Event().wait(chance.random() * 0.03)
            killed = process.kill() == -signal.SIGKILL
            found.kills, found.ended_before = found.kills + killed, found.ended_before + (not killed)
            judge(home, set(note.read_text().split("\n")[:-1]), found)
    return found


def judge(home: Path, acknowledged: set[str], found: Killed) -> None:
    """Open the home again, as the next process would, and look for every result that was acknowledged."""
    before = sqlite_count(home)
    with ControlPlane.open(home, catalogue=arms(10), flags=flags(), background=False) as plane:
        found.recovered += plane.ledger.size() - before
        stored = Counter(event.decision for event in results_of(plane) if event.decision in acknowledged)
    found.acknowledged += len(acknowledged)
    found.lost += sum(decision not in stored for decision in acknowledged)
    found.doubled += sum(times > 1 for times in stored.values())


def results_of(plane: ControlPlane) -> Iterator[ResultRecorded]:
    after = 0
    while rows := plane.ledger.rows(after, 4096):
        for position, _, _, topic, state in rows:
            after = position
            if topic == ResultRecorded.TOPIC:
                event = plane.ledger.catalogue.decode(topic, state)
                assert isinstance(event, ResultRecorded)
                yield event


def sqlite_count(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(home / "ledger.db")) as connection:
        return int(connection.execute("SELECT MAX(rowid) FROM stored_events").fetchone()[0])


def rapid(home: Path, told: Flags) -> Road:
    """A hundred results as fast as they go, a restart, and a count."""
    took, on_return = Latencies(), 0
    with ControlPlane.open(home, catalogue=arms(10), flags=told) as plane:
        asked = [plane.advise(Task(type="code.fix")).decision_id for _ in range(RAPID)]
        plane.flush()
        for decision in asked:
            began = time.perf_counter()
            plane.record_result(decision, success=True, latency_ms=100.0)
            took.add(time.perf_counter() - began)
            on_return += plane.ledger.backlog == 0
    with ControlPlane.open(home, catalogue=arms(10), flags=told, background=False) as plane:
        known = set(asked)
        return Road(took, on_return, sum(event.decision in known for event in results_of(plane)))


@contextlib.contextmanager
def failing(home: Path) -> Iterator[None]:
    """The database answers every write with an error."""
    with contextlib.closing(sqlite3.connect(home / "ledger.db", timeout=30, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER ill BEFORE INSERT ON stored_events BEGIN SELECT RAISE(ABORT, 'the disk is ill'); END"
        )
        try:
            yield
        finally:
            other.execute("DROP TRIGGER ill")


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Somebody else holds the database and lets nobody write."""
    with contextlib.closing(sqlite3.connect(home / "ledger.db", timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def refuse(home: Path, fault: contextlib.AbstractContextManager[None], patience: float | None) -> Refused:
    with ControlPlane.open(home, catalogue=arms(10), flags=flags()) as plane:
        asked = [plane.advise(Task(type="code.fix")).decision_id for _ in range(RAPID)]
        plane.flush()
        raised, before = 0, plane.ledger.counters.retries
        with fault:
            for decision in asked:
                plane.record_result(decision, success=True)
            try:
                plane.flush(patience)
            except LedgerUnavailable:
                raised = 1
            tries, waiting = plane.ledger.counters.retries - before, plane.ledger.backlog
        plane.flush()
        known = set(asked)
        stored = sum(event.decision in known for event in results_of(plane))
        return Refused(tries, raised, waiting, stored, plane.ledger.counters.retries)


def prove(quick: bool, fault: str = "") -> Findings:
    results = 1_000 if fault else 3_000 if quick else 100_000
    chance = random.Random()  # noqa: S311 - a moment
    off, on = flags(**{FLAG: "false"}), flags()
    with temporary_home() as home:
        before, after = rapid(home, off), rapid(home, on)
        killed = kill_at_random(home, results, chance, fault)
        ill, held = refuse(home, failing(home), None), refuse(home, locked(home), 0.3)
        again = rapid(home, off)
    return Findings(
        before=before.took.metrics("record_result, committed before it returns", accepted=before.after_restart),
        after=after.took.metrics(
            "record_result, journaled",
            accepted=killed.acknowledged - killed.lost,
            rejected=killed.lost + killed.doubled,
            figures={**msgspec.structs.asdict(killed), "retries_counted": ill.counted, "tries_of_a_flush": ill.tries},
        ),
        criteria=(
            equal("rapid results there after a restart", after.after_restart, RAPID),
            at_least("results acknowledged before a SIGKILL", killed.acknowledged, results),
            at_least("processes killed at a random moment", killed.kills, KILLS),
            equal("processes that had ended by themselves", killed.ended_before, 0),
            equal("acknowledged results that are lost", killed.lost, 0),
            equal("acknowledged results that are there twice", killed.doubled, 0),
            at_least("failed writes that are counted", ill.tries, 1),
            at_most("tries before a flush gives up", ill.tries, TRIES + 1),
            equal("flushes that say so", ill.raised + held.raised, 2),
            equal("results that wait while the database is ill or locked", ill.waiting + held.waiting, 2 * RAPID),
            equal("results there once it is well again", ill.stored + held.stored, 2 * RAPID),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=again.committed_on_return == before.committed_on_return == RAPID,
            result=f"{again.committed_on_return} of {RAPID} results were committed before their call returned, at "
            f"{again.took.at(50):.3f} ms each; journaled: {after.committed_on_return}, at {after.took.at(50):.3f} ms",
        ),
    )


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault` plants one of FAULTS, so that a test can see this proof fail."""
    assert not fault or fault in FAULTS
    plays = {"writer": write_until_killed}
    return run_proof("FG-01", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments, plays)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Processes that write, killed at a random moment, and what is in the log afterwards."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from control_plane.ledger.audit import Verdict
from tests.ledger.running import audited, names, recover, running

ROOT = Path(__file__).parents[2]
PROCESSES = 2


class Outcome(NamedTuple):
    """What the writers were told, what the log holds, and what the audit says."""

    acknowledged: set[str]
    stored: Counter[str]
    verdict: Verdict


def spawn(home: Path, mode: str) -> "subprocess.Popen[bytes]":
    """A process that says `ready` when it begins."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.writing", str(home), str(acknowledged_file(home)), mode],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )


def acknowledged_file(home: Path) -> Path:
    return home.with_suffix(".acknowledged")


def kill_round(home: Path, generator: random.Random, mode: str = "honest", longest: float = 0.08) -> None:
    """Let them write, and kill all of them at once; sometimes kill the recovery too."""
    writers = [spawn(home, mode) for _ in range(PROCESSES)]
    for writer in writers:
        await_ready(writer)
    kill_after(writers, generator.uniform(0.0, longest))
    if generator.random() < 0.2:
        kill_after([spawn(home, mode)], generator.uniform(0.1, 0.4))  # while it opens
    if generator.random() < 0.5:
        recovery = spawn(home, "recover")
        await_ready(recovery)
        kill_after([recovery], generator.uniform(0.0, 0.05))


def kill_once(home: Path, mode: str, lines: int = 2000) -> Outcome:
    """One kill, after so many results were acknowledged."""
    writers = [spawn(home, mode) for _ in range(PROCESSES)]
    for writer in writers:
        await_ready(writer)
    side = acknowledged_file(home)
    while not side.exists() or side.stat().st_size < 10 * lines:
        time.sleep(0.001)
    kill_after(writers, 0)
    return outcome(home)


def await_ready(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "the process ended before it could write"


def kill_after(processes: "list[subprocess.Popen[bytes]]", seconds: float) -> None:
    # The moment of a kill is the input of these tests; nothing is expected to have happened by then.
    time.sleep(seconds)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate()


def outcome(home: Path) -> Outcome:
    """Open the home again, as the next process does."""
    recover(home)
    with running(home, threaded=False) as ledger:
        stored = Counter(names(ledger))
    side = acknowledged_file(home)
    lines = side.read_text().split("\n")[:-1] if side.exists() else []
    return Outcome(set(lines), stored, audited(home))


def check_nothing_lost(outcome: Outcome) -> None:
    """Every result whose call returned is in the log."""
    assert outcome.acknowledged, "nothing was ever recorded"
    lost = outcome.acknowledged - outcome.stored.keys()
    assert not lost, f"{len(lost)} of {len(outcome.acknowledged)} acknowledged results are lost"


def check_nothing_doubled(outcome: Outcome) -> None:
    """No result is in the log twice."""
    assert outcome.stored, "nothing was ever stored"
    doubled = [name for name, times in outcome.stored.items() if times > 1]
    assert not doubled, f"{len(doubled)} results are in the log more than once"


def check_audit_is_green(outcome: Outcome) -> None:
    """The log verifies, all of it."""
    assert outcome.verdict.ok, outcome.verdict
    assert outcome.verdict.events >= sum(outcome.stored.values()) > 0

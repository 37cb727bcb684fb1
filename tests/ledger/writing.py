"""A writing process to be killed: `python -m tests.ledger.writing HOME ACKNOWLEDGED MODE`.

Several threads, the journal's road and the direct one mixed. Each result is noted in the side file after the call
that recorded it has returned; what is noted there must never be missed. The modes beside `honest` are the faults
that a check of the outcome has to see.
"""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from control_plane.errors import JournalFull, LedgerUnavailable
from control_plane.ledger.ledger import Ledger
from tests.ledger.running import counted, open_ledger, recover

THREADS = 3


def write(ledger: Ledger, note: Callable[[str], None], thread: int) -> None:
    """Record for ever; now and then, the first thread often, by the direct road with a version that we expect."""
    direct_every = 5000 if thread else 10
    number, version, stream = 0, 0, f"direct-{os.getpid()}-{thread}"
    while True:
        name = f"{os.getpid()}-{thread}-{number}"
        number += 1
        try:
            if number % direct_every:
                ledger.record(counted(name))
            else:
                ledger.append(stream, [counted(name)], expected=version)
                version += 1
        except (JournalFull, LedgerUnavailable):
            continue
        note(name)


def write_nothing(ledger: Ledger, note: Callable[[str], None], thread: int) -> None:
    for number in range(10_000_000):
        note(f"{os.getpid()}-{thread}-{number}")


def write_lazily(ledger: Ledger, note: Callable[[str], None], thread: int) -> None:
    """Answers first and records later, as a buffer in memory does."""
    waiting: list[str] = []
    for number in range(10_000_000):
        waiting.append(f"{os.getpid()}-{thread}-{number}")
        note(waiting[-1])
        if len(waiting) == 100:
            for name in waiting:
                ledger.record(counted(name))
            waiting.clear()


def write_twice(ledger: Ledger, note: Callable[[str], None], thread: int) -> None:
    """Repeats a call although the first one had succeeded."""
    for number in range(10_000_000):
        name = f"{os.getpid()}-{thread}-{number}"
        try:
            ledger.record(counted(name))
            if number % 50 == 0:
                ledger.record(counted(name))
        except JournalFull:
            continue
        note(name)


MODES = {"honest": write, "null": write_nothing, "lazy": write_lazily, "twice": write_twice}


def main(home: str, acknowledged: str, mode: str) -> None:
    if mode == "recover":
        os.write(1, b"ready\n")
        recover(Path(home))
        return
    ledger = open_ledger(Path(home))
    side = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    threads = [
        threading.Thread(target=MODES[mode], args=(ledger, lambda name: os.write(side, name.encode() + b"\n"), thread))
        for thread in range(THREADS)
    ]
    os.write(1, b"ready\n")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])

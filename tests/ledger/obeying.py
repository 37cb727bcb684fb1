"""A process with a ledger that does what it is told, line by line: `python -m tests.ledger.obeying HOME MODE`.

The modes beside `honest` are the faults that a check of the outcome has to see.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.ledger import sqlite_backend
from control_plane.ledger.ledger import Ledger
from tests.ledger.running import Counted, counted, open_ledger

# Nobody waits fifteen seconds for a test.
sqlite_backend.LOCK_TIMEOUT = 0.2  # type: ignore[assignment]


def obey(ledger: Ledger, command: str, *arguments: str) -> None:
    match command, *arguments:
        case "record", first, end:
            for number in range(int(first), int(end)):
                ledger.record(counted(number))
        case "append", name:
            ledger.append("direct", [counted(name)])
        case "flush", *_:
            ledger.flush(5.0)
        case "limit", size:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard if int(size) < 0 else int(size), hard))
        case "close", *_:
            ledger.close()


def answer_without_work(ledger: Ledger, command: str, *arguments: str) -> None:
    """Says yes to everything."""


class Forgetful:
    """Keeps results in memory, and drops them when they cannot be written."""

    def __init__(self) -> None:
        self._waiting: list[Counted] = []

    def __call__(self, ledger: Ledger, command: str, *arguments: str) -> None:
        if command == "record":
            self._waiting += [counted(number) for number in range(*map(int, arguments))]
        elif command == "flush" and self._waiting:
            waiting, self._waiting = self._waiting, []
            ledger.append("results", waiting)
        else:
            obey(ledger, command, *arguments)


MODES: dict[str, Callable[..., None]] = {"honest": obey, "null": answer_without_work, "forgetful": Forgetful()}


def main(home: str, mode: str) -> None:
    try:
        ledger = open_ledger(Path(home), segments=2)
    except ControlPlaneError as fault:
        print(fault.code, flush=True)
        return
    print("ok", flush=True)
    for line in sys.stdin:
        try:
            MODES[mode](ledger, *line.split())
            print("ok", flush=True)
        except ControlPlaneError as fault:
            print(fault.code, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

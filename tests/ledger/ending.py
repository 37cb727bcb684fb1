"""A process that records and then ends in some way: `python -m tests.ledger.ending HOME WAY`."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from control_plane.ledger import shutdown
from control_plane.ledger.ledger import Ledger
from tests.ledger.running import counted, open_ledger

RESULTS = 3000


def ready() -> None:
    os.write(1, b"ready\n")


def wait_for_ever(_: Ledger) -> None:
    ready()
    while True:
        signal.pause()


def leave_when_asked(_: Ledger) -> None:
    """Ends by itself while the handler still works."""
    ready()
    signal.pause()


def leave_with_a_code(_: Ledger) -> None:
    raise SystemExit(3)


def record_for_ever(ledger: Ledger) -> None:
    ready()
    number = RESULTS
    while True:
        ledger.record(counted(number))
        number += 1


def record_in_a_last_thread(ledger: Ledger) -> None:
    main_thread = threading.main_thread()

    def late() -> None:
        main_thread.join()
        ledger.record(counted("late"))

    threading.Thread(target=late).start()


def close(ledger: Ledger) -> None:
    ledger.close()
    ready()
    signal.pause()


def wait_on_a_database_that_hangs(ledger: Ledger) -> None:
    ledger.flush()
    shutdown.PATIENCE = 0.5
    ledger._opened.insert = lambda *_: time.sleep(3600)  # type: ignore[method-assign,assignment,return-value]
    ledger.record(counted("kept"))
    wait_for_ever(ledger)


WAYS: dict[str, Callable[[Ledger], None]] = {
    "sigterm": wait_for_ever,
    "sigterm-and-exit": leave_when_asked,
    "own-handler": wait_for_ever,
    "exit": lambda _: None,
    "exception": leave_with_a_code,
    "busy": record_for_ever,
    "thread": record_in_a_last_thread,
    "closed": close,
    "hung": wait_on_a_database_that_hangs,
}


def main(home: str, way: str) -> None:
    if way == "own-handler":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    ledger = open_ledger(Path(home))
    for number in range(RESULTS):
        ledger.record(counted(number))
    WAYS[way](ledger)


if __name__ == "__main__":
    main(*sys.argv[1:])

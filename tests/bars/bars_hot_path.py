"""Bars of the hot path: quick appends, a committer that keeps up with a host that never yields."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import busy_host
from benchmarks.test_ledger_busy_host import RATE, check_committer_keeps_up
from benchmarks.test_ledger_journal import Quick, check_append_is_quick, time_appends
from control_plane.ledger import committer
from control_plane.ledger.journal import Journal
from tests.bars.frame import Bar
from tests.bars.measuring import in_a_quiet_interpreter

SECONDS, SWITCH_INTERVAL = 2, 0.0001


def quick(folder: Path) -> Quick:
    journal = Journal(folder)
    return time_appends(journal, journal.append)


def quick_and_nowhere(folder: Path) -> Quick:
    return time_appends(Journal(folder), lambda body: None)


def synced(folder: Path) -> Quick:
    """Asks the disk every fiftieth time."""
    journal = Journal(folder)

    def append(body: bytes) -> None:
        if journal.append(body) % 50 == 0:
            journal._map.flush(journal._at // 4096 * 4096, 4096)

    return time_appends(journal, append)


def keeping_up(folder: Path) -> dict[str, float]:
    figures = busy_host.main(str(folder / "first"), RATE, SECONDS, SWITCH_INTERVAL)
    # Others use this machine too: what was reached once can be reached.
    return (
        figures
        if figures["backlog_seconds"] <= 1
        else busy_host.main(str(folder / "second"), RATE, SECONDS, SWITCH_INTERVAL)
    )


def storing_nothing(folder: Path) -> dict[str, float]:
    return busy_host.main("-", RATE, SECONDS, SWITCH_INTERVAL) | {"backlog_seconds": 0.0}


def few_by_few(folder: Path) -> dict[str, float]:
    """Commits a handful of events at a time."""
    committer.BATCH = 20
    return busy_host.main(str(folder / "home"), RATE, SECONDS, SWITCH_INTERVAL)


SUBJECTS: dict[str, Callable[[Path], Any]] = {
    subject.__name__: subject for subject in (quick, quick_and_nowhere, synced, keeping_up, storing_nothing, few_by_few)
}


def quick_of(name: str, folder: Path) -> Quick:
    return Quick(*in_a_quiet_interpreter("tests.bars.bars_hot_path", name, str(folder)))


def host_of(name: str, folder: Path) -> dict[str, float]:
    found: dict[str, float] = in_a_quiet_interpreter("tests.bars.bars_hot_path", name, str(folder))
    return found


BARS = [
    Bar(
        check_append_is_quick,
        real=functools.partial(quick_of, "quick"),
        null=functools.partial(quick_of, "quick_and_nowhere"),
        planted={"asks the disk now and then": functools.partial(quick_of, "synced")},
    ),
    Bar(
        check_committer_keeps_up,
        real=functools.partial(host_of, "keeping_up"),
        null=functools.partial(host_of, "storing_nothing"),
        planted={"commits a handful at a time": functools.partial(host_of, "few_by_few")},
    ),
]

if __name__ == "__main__":
    print(json.dumps(SUBJECTS[sys.argv[1]](Path(sys.argv[2]))))

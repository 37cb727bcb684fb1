"""A host that never yields: `python -m benchmarks.busy_host HOME RATE SECONDS SWITCH_INTERVAL`.

It keeps the interpreter busy, records at a fixed rate, and measures each call from the moment it was due to the
moment it was done, while a fold listens. A host that waited for its own calls would hide every stall.

On a shared machine the operating system stops our threads for others; what it says about that (Linux: schedstat)
is subtracted in the figures called `own`. On a quiet machine both are the same.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import ClassVar

from control_plane.clock import Clock
from control_plane.ledger.backend import Row
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.facts import EVENTS
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened, create_home

# A stall begins when a call is this late, and ends when one is not.
STALL = 0.0003


class ResultRecorded(Event, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "router.result-recorded"
    decision: str
    arm: str
    success: bool
    latency_ms: float
    cost_usd: float


CATALOGUE = Catalogue([*EVENTS, ResultRecorded])


class Fold:
    """What a router keeps of each arm, brought up to date event by event."""

    def __init__(self) -> None:
        self.arms: dict[str, list[float]] = {}
        self.folded = 0

    def __call__(self, rows: Sequence[Row]) -> None:
        decode = CATALOGUE.decode
        for row in rows:
            event = decode(row.topic, row.state)
            if isinstance(event, ResultRecorded):
                counts = self.arms.setdefault(event.arm, [0, 0, 0.0, 0.0])
                counts[0] += 1
                counts[1] += event.success
                counts[2] += event.latency_ms
                counts[3] += event.cost_usd
                self.folded += 1


def stopped_by_others() -> Callable[[], float]:
    """Seconds that our threads were ready to run while the operating system ran somebody else."""
    files: list[FileIO] = []
    with contextlib.suppress(OSError):
        tasks = sorted(os.listdir("/proc/self/task"))
        files = [FileIO(f"/proc/self/task/{task}/schedstat") for task in tasks]

    def read() -> float:
        waited = 0
        for file in files:
            file.seek(0)
            waited += int(file.read().split()[1])
        return waited / 1e9

    return read


def serve(record: Callable[[Event], None], rate: int, seconds: float) -> tuple[list[float], list[float]]:
    """Lateness of each call: as it was, and less what others took."""
    late, own = [0.0] * int(rate * seconds), [0.0] * int(rate * seconds)
    now, others = time.perf_counter, stopped_by_others()
    stall_began, before, start = -1, others(), now()
    for number in range(len(late)):
        due = start + number / rate
        while now() < due:
            pass
        record(
            ResultRecorded(at=due, decision=f"01JD{number:022}", arm="a/b", success=True, latency_ms=1.5, cost_usd=0.02)
        )
        late[number] = now() - due
        if late[number] > STALL:
            stall_began = number if stall_began < 0 else stall_began
        elif stall_began >= 0:
            after = others()
            worst = max(late[stall_began:number])
            share = max(0.0, worst - (after - before)) / worst
            own[stall_began:number] = [value * share for value in late[stall_began:number]]
            stall_began, before = -1, after
        else:
            own[number] = late[number]
            if number % 512 == 0:
                before = others()
    return late, own


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Ledger]:
    clock = Clock()
    create_home(Home(home), CATALOGUE, clock)
    backend = Opened(Home(home), CATALOGUE, clock).backend
    ledger = Ledger(backend, Journal(Home(home).journal), CATALOGUE, clock)
    try:
        yield ledger
    finally:
        ledger.close()


def lateness(seconds: float, late: list[float], own: list[float]) -> dict[str, float]:
    figures = {"recorded": float(len(late)), "seconds": seconds}
    for name, share in (("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)):
        figures |= {name: percentile(late, share) * 1e6, f"own_{name}": percentile(own, share) * 1e6}
    return figures


def think_now_and_then() -> None:
    """A quarter of one interpreter's time, in pieces: what a committer and a fold need, with nothing of ours in it."""
    while True:
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end:
            pass
        time.sleep(0.003)


def main(home: str, rate: int, seconds: float, switch_interval: float) -> dict[str, float]:
    sys.setswitchinterval(switch_interval)
    if home == "-":
        threading.Thread(target=think_now_and_then, daemon=True).start()
        return lateness(seconds, *serve(lambda _: None, rate, seconds))
    with opened(Path(home)) as ledger:
        fold = Fold()
        ledger.listen(fold)
        figures = lateness(seconds, *serve(ledger.record, rate, seconds))
        figures["backlog_seconds"] = ledger.backlog / rate
        ledger.flush()
        figures |= {"stored": ledger.size() - 1, "folded": fold.folded, "commits": ledger.counters.commits}
    return figures


def resident_after(home: Path, events: int) -> float:
    """By how many megabytes the resident memory grew over so many events, after three tenths of them to warm up."""

    def pass_through(ledger: Ledger, events: int) -> int:
        for number in range(events):
            ledger.record(
                ResultRecorded(at=1.0, decision=f"{number:026}", arm="a/b", success=True, latency_ms=1, cost_usd=0)
            )
            if number % 50_000 == 0:
                ledger.flush()
        ledger.flush()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with opened(home) as ledger:
        ledger.listen(Fold())
        before = pass_through(ledger, events * 3 // 10)
        return (pass_through(ledger, events) - before) / (1 << 20)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))))

"""A million decisions with their results: memory stays as it was, and the last tenth is no slower than the second."""

import os
import statistics
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.router_home import ARMS, TASKS, fill
from control_plane import ControlPlane
from control_plane.proving import arms

DECISIONS = int(os.environ.get("SOAK_DECISIONS", "1000000"))
BATCH, LEARNED = 2_000, 300_000
# What the same thing takes at two times differs by so much on a shared machine.
SAME = 1.1


def undisturbed(batches: list[float]) -> float:
    """The first decile: a neighbour on the machine slows down some batches, a router that grew slower all of them."""
    return statistics.quantiles(batches, n=10)[0]


class Tenth:
    """Medians of its batches, in microseconds, and what the process held at its end."""

    def __init__(self) -> None:
        self.advise: list[float] = []
        self.record: list[float] = []
        self.rss_mb = self.anonymous_mb = 0.0

    def told(self) -> str:
        return (
            f"advise {undisturbed(self.advise):.2f} µs (median batch {statistics.median(self.advise):.2f}), "
            f"record_result {undisturbed(self.record):.2f} µs (median batch {statistics.median(self.record):.2f}), "
            f"RSS {self.rss_mb:.0f} MB, of it anonymous {self.anonymous_mb:.0f} MB"
        )


def memory_mb(name: str) -> float:
    """Mapped files count in VmRSS and may be dropped at any time; RssAnon is what the process really holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024.0
    raise AssertionError(f"this system does not tell {name}")


def batch(plane: ControlPlane, tenth: Tenth, first: int) -> None:
    advise, record, now = plane.advise, plane.record_result, time.perf_counter_ns
    advised, recorded = [], []
    for number in range(first, first + BATCH):
        began = now()
        decision = advise(TASKS[number % len(TASKS)]).decision_id
        decided = now()
        record(decision, success=number % 3 > 0, latency_ms=100.0 + number % 50, cost_usd=0.01)
        recorded.append(now() - decided)
        advised.append(decided - began)
    plane.flush()
    tenth.advise.append(statistics.median(advised) / 1e3)
    tenth.record.append(statistics.median(recorded) / 1e3)


def soak(home: Path) -> list[Tenth]:
    tenths = []
    # What is known of 100 arms on 1,000 kinds of task takes memory, too: so every pair has been met before.
    fill(home, LEARNED)
    with ControlPlane.open(home, catalogue=arms(ARMS)) as plane:
        for start in range(0, DECISIONS, DECISIONS // 10):
            tenth = Tenth()
            for first in range(start, start + DECISIONS // 10, BATCH):
                batch(plane, tenth, first)
            tenth.rss_mb, tenth.anonymous_mb = memory_mb("VmRSS"), memory_mb("RssAnon")
            print(f"{start + DECISIONS // 10:,} decisions: {tenth.told()}")
            tenths.append(tenth)
    return tenths


@pytest.mark.requirement("ROUTER-112", "ROUTER-113")
def test_a_million_decisions_leave_no_trace_in_memory_or_speed(tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    tenths = benchmark.pedantic(soak, args=(tmp_path / "home",), rounds=1)
    # In the first tenth bounded memories fill: ids of decisions, results that a repeat would be compared with.
    _, early, *_, last = tenths
    benchmark.extra_info.update(second_tenth=early.told(), last_tenth=last.told())
    assert last.anonymous_mb <= 1.05 * early.anonymous_mb
    assert undisturbed(last.advise) <= SAME * undisturbed(early.advise)
    assert undisturbed(last.record) <= SAME * undisturbed(early.record)


def test_what_grew_slower_is_told_from_what_was_disturbed() -> None:
    early = [10.0 + number % 5 * 0.1 for number in range(50)]
    disturbed = [value * (3.0 if number % 3 else 1.0) for number, value in enumerate(early)]
    slower = [value * 1.13 for value in early]
    assert undisturbed(disturbed) <= SAME * undisturbed(early) < undisturbed(slower)

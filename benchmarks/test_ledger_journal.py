"""The journal's microsecond, and what it costs in memory."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from control_plane.ledger.journal import Journal

BODY = b"x" * 190
CALLS = 20_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def drain(journal: Journal) -> None:
    while (batch := journal.take(4096)).bodies:
        journal.release(batch)


def single_calls(journal: Journal) -> list[int]:
    """Nanoseconds of each call, in order of size; the clock's own share is in them."""
    took, now, append = [0] * CALLS, time.perf_counter_ns, journal.append
    for number in range(CALLS):
        start = now()
        append(BODY)
        took[number] = now() - start
    drain(journal)
    return sorted(took)


@pytest.mark.requirement("LEDGER-128", "LEDGER-129", "LEDGER-149")
def test_one_append(journal: Journal, benchmark: BenchmarkFixture) -> None:
    # The quietest of several runs: what the machine does beside us is not the journal's.
    runs = [single_calls(journal) for _ in range(7)]
    median, p99 = (min(run[int(share * CALLS)] for run in runs) for share in (0.5, 0.99))
    benchmark.extra_info.update({"median_ns": median, "p99_ns": p99})
    benchmark.pedantic(journal.append, args=(BODY,), rounds=2000, iterations=50)
    drain(journal)
    assert median <= 2_000
    assert p99 <= 10_000


@pytest.mark.requirement("LEDGER-135", "LEDGER-149")
def test_a_million_appends_leave_the_memory_flat(tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    """Through the journal, the committer and the database, with a listener."""
    from benchmarks.busy_host import resident_after

    found = benchmark.pedantic(resident_after, args=(tmp_path / "home", 1_000_000), rounds=1)
    benchmark.extra_info["growth_mb"] = found
    assert found <= 8

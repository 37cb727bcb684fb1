"""FG-11: what should be found in memory is found, that is measured day by day, and when it gets worse it is said.

usage: python scripts/evals/fg11_retrieval_quality.py [--quick] [--json] [--metrics DIR]
"""

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from control_plane import Arm, ControlPlane
from control_plane.evidence import Rollback, at_least, equal
from control_plane.flags import Flags
from control_plane.memory.events import QualityAlertCleared, QualityAlertRaised, QualityMeasured
from control_plane.memory.measuring import Benchmark, read_benchmark
from control_plane.memory.retrieving import ByWords, Retrieving
from control_plane.memory.rules import DAY, PASS
from control_plane.memory.service import Memory
from control_plane.projections.search import Found, TextIndex
from control_plane.proving import Findings, HandClock, Latencies, flags, run_proof, temporary_home

FLAG = "OPENCODE_RETRIEVAL_METRICS"
SCRIPT = "scripts/evals/fg11_retrieval_quality.py"
DAYS = 14
# On these days somebody has put a retriever in that answers at random.
WORSE = range(5, 8)


class Course(msgspec.Struct):
    """Two weeks of a memory that somebody uses."""

    items: int = 0
    measured: int = 0
    days_unmeasured: int = DAYS
    map_at_k: float | None = None
    grounded_recall: float | None = None
    hit_rate: float | None = None
    live_hit_rate: float | None = None
    level: str = ""
    level_while_worse: str = ""
    counts: bool = False
    alerts: int = 0
    clears: int = 0
    found_after_loss: bool = False


class AtRandom:
    """Answers something, whatever is asked."""

    name = "at-random"

    def __init__(self, index: TextIndex) -> None:
        self._every, self._chance = index.every(), random.Random(7)  # noqa: S311 - the same each time

    def search(self, query: str, limit: int, kind: str | None = None) -> list[Found]:  # noqa: ARG002 - it does not look
        return self._chance.sample(self._every, min(limit, len(self._every)))


def course(told: Flags, copies: int, usual: Retrieving = ByWords) -> tuple[Course, Latencies]:
    clock, found, took = HandClock(), Course(), Latencies()
    benchmark = read_benchmark()
    with (
        temporary_home() as home,
        ControlPlane.open(home, catalogue=[Arm("acme/only")], clock=clock, flags=told, background=False) as plane,
    ):
        memory, worse = plane.memory.through(usual), plane.memory.through(AtRandom)
        for day in range(DAYS):
            fill(memory, benchmark, copies, day)
            # Hourly, as the plane's own poll looks.
            for _ in range(24):
                (worse if day in WORSE else memory).track()
                clock.pass_by(DAY / 24)
            if day == WORSE[-1]:
                found.level_while_worse = memory.quality().level
        ask(memory, benchmark, took)
        found.found_after_loss = lose(home, memory, benchmark)
        conclude(plane, memory, found)
    return found, took


def fill(memory: Memory, benchmark: Benchmark, copies: int, day: int) -> None:
    """A share of the texts each day, each several times over with something of its own."""
    for text in benchmark.items[day::DAYS]:
        for copy in range(copies):
            memory.remember(f"{text.text} (case {day}-{copy}, ticket SHOP-{copy * 37 + day})", tags=text.tags)


def ask(memory: Memory, benchmark: Benchmark, took: Latencies) -> None:
    for query in benchmark.queries:
        start = time.perf_counter()
        memory.search(query.text)
        took.add(time.perf_counter() - start)


def lose(home: Path, memory: Memory, benchmark: Benchmark) -> bool:
    """The index is gone: the next search has it again from the log."""
    query = benchmark.queries[0].text
    before = [found.id for found in memory.search(query)]
    for file in home.glob("memory.db*"):
        file.unlink()
    return bool(before) and [found.id for found in memory.search(query)] == before


def conclude(plane: ControlPlane, memory: Memory, found: Course) -> None:
    events = [recorded.event for recorded in plane.ledger.read(limit=100_000)]
    measured = [event for event in events if isinstance(event, QualityMeasured)]
    began = plane.ledger.clock.now() - DAYS * DAY
    quality = memory.quality()
    found.items, found.measured = memory.items, len(measured)
    found.days_unmeasured = DAYS - len({int((event.at - began) // DAY) for event in measured})
    found.map_at_k, found.grounded_recall = quality.value, quality.grounded_recall
    found.hit_rate, found.live_hit_rate = quality.hit_rate, quality.live_hit_rate
    found.level, found.counts = quality.level, quality.counts
    found.alerts = sum(isinstance(event, QualityAlertRaised) for event in events)
    found.clears = sum(isinstance(event, QualityAlertCleared) for event in events)


def prove(quick: bool, fault: str = "") -> Findings:
    copies = 2 if quick else 25
    off, on = flags(**{FLAG: "false"}), flags(**{FLAG: "true"})
    before, unwatched = course(off, copies)
    after, watched = course(on, copies, AtRandom if fault == "at-random" else ByWords)
    again, _ = course(off, 1)
    return Findings(
        before=unwatched.metrics("a search, nothing measured", figures=figures(before)),
        after=watched.metrics("a search", figures=figures(after)),
        criteria=(
            at_least("MAP@5", after.map_at_k, PASS[0]),
            at_least("grounded recall", after.grounded_recall, PASS[1]),
            at_least("live items found by their own words", after.live_hit_rate, 0.95),
            equal("level as promotion reads it", after.level, "pass"),
            equal("level while a retriever answered at random", after.level_while_worse, "fail"),
            equal("days without a measurement", after.days_unmeasured, 0),
            equal("alerts for one change for the worse", after.alerts, 1),
            equal("alerts cleared", after.clears, 1),
            equal("a lost index is written again", after.found_after_loss, True),
            equal("measurements with the flag off", before.measured, 0),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=again.measured == again.alerts == 0 and not again.counts and again.level == "unknown",
            result=f"{again.measured} measurements and {again.alerts} alerts in {DAYS} days, quality {again.level}, "
            f"promotion {'looks' if again.counts else 'does not look'} at it; with the measurements {after.measured}",
        ),
    )


def figures(found: Course) -> dict[str, float | int | bool | str]:
    return {name: value for name, value in msgspec.structs.asdict(found).items() if value is not None}


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="at-random"` puts a retriever in that answers at random, so that a test can see this proof fail."""
    return run_proof("FG-11", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

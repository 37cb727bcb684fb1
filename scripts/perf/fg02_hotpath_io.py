"""FG-02: `advise` touches no file, and does not notice a disk on which every write and sync takes 200 ms.

usage: python scripts/perf/fg02_hotpath_io.py [--quick] [--json] [--metrics DIR]
"""

import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from control_plane import ControlPlane, Task
from control_plane.evidence import Criterion, Rollback, at_least, at_most, equal
from control_plane.evidence.template import Value
from control_plane.proving import Bars, Findings, Latencies, Process, arms, flags, run_proof, temporary_home
from control_plane.proving.bad_disk import bad_disk, make_slow
from control_plane.proving.processes import say
from control_plane.proving.touching import Touches

FLAG = "OPENCODE_SYNC_IO_FALLBACK"
SCRIPT = "scripts/perf/fg02_hotpath_io.py"
ARMS, SLOW_MS = 100, 200
P99_MS, P99_9_MS, SEED_MS = 0.05, 1.0, 5.0
ROUNDS = 4


class Timed(msgspec.Struct):
    """Milliseconds of `advise` and of `record_result` in one process, and how long its slowest write took."""

    advise: Latencies
    p99_usual: float
    # Of `record_result`: p50, p95, p99.
    record: list[float]
    disk_ms: float
    waiting: int


def measure(told: dict[str, Any]) -> None:
    """Decide at a steady pace for some seconds, each decision with its result, while the committer works."""
    with ControlPlane.open(told["home"], catalogue=arms(ARMS), flags=flags(**{FLAG: told["synchronous"]})) as plane:
        advise = spoiled(plane, told["home"]) if told["fault"] else plane.advise
        tasks = [Task(type=f"kind-{number}", repo="acme/api") for number in range(told["kinds"])]
        teach(plane, tasks)
        for task in tasks * 10 * (told["times"] > 1):
            advise(task)
        plane.flush()
        if told["slow"]:
            make_slow(told["slow"], SLOW_MS)
        took, recorded, ends = [], [], time.perf_counter() + told["seconds"]
        while time.perf_counter() < ends:
            for task in tasks * told["times"]:
                began = time.perf_counter()
                decision = advise(task).decision_id
                decided = time.perf_counter()
                plane.record_result(decision, success=True, latency_ms=100.0)
                recorded.append(time.perf_counter() - decided)
                took.append(decided - began)
            threading.Event().wait(0.1)
        note = os.open(told["note"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # In one call, for each takes its time here.
        os.write(note, msgspec.json.encode(took))
        probe = Latencies(recorded)
        say(
            record=[probe.at(percentile) for percentile in (50, 95, 99)], disk_ms=disk(Path(told["home"])),
            waiting=plane.ledger.backlog,
        )  # fmt: skip
        # Its own last commits are not the question, and would take their time here.
        os._exit(0)


def usual_p99(took: list[float]) -> float:
    """The median over slices of 500 calls of their p99: what a neighbour on the machine does for a moment drops out."""
    slices = [took[start : start + 500] for start in range(0, len(took), 500)]
    return statistics.median(Latencies(piece).at(99) for piece in slices)


def teach(plane: ControlPlane, tasks: list[Task]) -> None:
    """A plane that has been at work for a while: every arm has run, and a few are better than the others."""
    for number, arm in enumerate(arms(ARMS)):
        for task in tasks * 4:
            plane.record_result(arm=arm.name, task=task, success=number < 5, latency_ms=100.0, cost_usd=0.01)
    plane.flush()


def disk(folder: Path) -> float:
    """What one small write and its sync take in this process."""
    handle = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT, 0o600)
    began = time.perf_counter()
    os.write(handle, b"x")
    os.fsync(handle)
    return (time.perf_counter() - began) * 1e3


def spoiled(plane: ControlPlane, home: str) -> Any:
    """A planted fault: a decision that is also noted in a file."""
    advise = plane.advise

    def noting(task: Task) -> Any:
        with (Path(home) / "note").open("a") as note:
            note.write("decided\n")
        return advise(task)

    return noting


def timed(slow: str | None, seconds: float, *, synchronous: bool = False, fault: str = "") -> Timed:
    with temporary_home() as home:
        told = {
            "home": str(home),
            "note": str(home.with_name("took.json")),
            "seconds": seconds,
            "synchronous": str(synchronous).lower(),
            "slow": slow,
            "fault": fault,
            "kinds": 1 if synchronous or fault else 20,
            "times": 1 if synchronous or fault else 20,
        }
        process = Process(Path(__file__), "measured", told, environment={"LD_PRELOAD": slow} if slow else {})
        said = process.next()
        process.end()
        took = msgspec.json.decode(home.with_name("took.json").read_bytes(), type=list[float])
        return Timed(Latencies(took), usual_p99(took), said["record"], said["disk_ms"], said["waiting"])


def touches(home: Path, *, synchronous: bool, fault: str = "") -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """What `advise` and `record_result` touch themselves, and everything that the whole plane touches meanwhile."""
    seen = Touches()
    seen.watch_new_threads()
    try:
        with ControlPlane.open(home, catalogue=arms(ARMS), flags=flags(**{FLAG: str(synchronous).lower()})) as plane:
            advise, given = (spoiled(plane, str(home)) if fault else plane.advise), list[str]()

            def decide() -> None:
                # One that is kept, one that must be compiled, one with details, one that needs a probe's look.
                given.append(advise(Task(type="code.fix")).decision_id)
                given.append(advise(Task(type="code.fix")).decision_id)
                given.append(advise(Task(type="code.new", repo="acme/api", session="s", tokens_in=900)).decision_id)

            deciding = seen.during(decide)
            recording = seen.during(lambda: [plane.record_result(one, success=True, latency_ms=90.0) for one in given])
            plane.flush()
    finally:
        threading.setprofile(None)
    return deciding, recording, seen.listed()


def until_quiet(slow: str | None, seconds: float, most: int, fault: str) -> list[Timed]:
    """Beside somebody else's work a tail says little: until a round keeps the bars, a few are tried; all are shown."""
    rounds: list[Timed] = []
    while len(rounds) < most:
        rounds.append(timed(slow, seconds, fault=fault))
        if rounds[-1].advise.at(99) <= P99_MS and rounds[-1].advise.at(99.9) <= P99_9_MS:
            break
    return rounds


def probed(road: str, timed: Timed) -> dict[str, Value]:
    """The probes around the two calls that had touched the disk."""
    calls = {"advise": [timed.advise.at(percentile) for percentile in (50, 95, 99)], "record_result": timed.record}
    return {
        f"{road}_p{percentile}_ms_of_{call}": round(value, 4)
        for call, values in calls.items()
        for percentile, value in zip((50, 95, 99), values, strict=True)
    }


def seen_on(fast: Timed, late: Timed, rounds: Sequence[Timed]) -> dict[str, Value]:
    """What the disks did to `advise`, in milliseconds."""
    return {
        "ms_of_a_write_and_sync": round(late.disk_ms, 1),
        "fast_disk_p50": fast.advise.at(50),
        "fast_disk_p99": fast.advise.at(99),
        "p99_of_each_round": ", ".join(f"{one.advise.at(99):.4f}" for one in rounds),
        "p99_of_the_median_slice": late.p99_usual,
        "events_waiting_for_the_disk": late.waiting,
    }


def beside_a_slow_disk(bars: Bars, fast: Timed, late: Timed, before: Timed) -> tuple[Criterion, ...]:
    """The disk is felt where a call writes itself; otherwise events wait for it, and neither call does."""
    return (
        at_least("decisions timed on the slow disk", late.advise.count, 2_000),
        at_least("ms of `record_result` that writes to the slow disk itself, p50", before.record[0], SLOW_MS),
        at_most("ms of `record_result` on the slow disk, p99", late.record[2], SEED_MS),
        at_least("events that wait for the slow disk meanwhile", late.waiting, 1),
        *bars.at_most("ms of `advise` on the slow disk, p99", late.advise.at(99), P99_MS, seed=SEED_MS),
        *bars.at_most("ms of `advise` on the slow disk, p99.9", late.advise.at(99.9), P99_9_MS),
        *bars.at_most("slow disk against fast disk, p50", late.advise.at(50) / fast.advise.at(50), 2.0),
    )


def prove(quick: bool, fault: str = "") -> Findings:
    seconds, not_run = 0.5 if fault else 2.0 if quick else 10.0, list[str]()
    bars, rounds = Bars(quick), 1 if fault or quick else ROUNDS
    with temporary_home() as home:
        deciding, recording, listed = touches(home, synchronous=False, fault=fault)
    with temporary_home() as home:
        deciding_before, recording_before, _ = touches(home, synchronous=True)
    with bad_disk() as slow:
        if slow is None:
            not_run.append("the slow disk: no compiler built the library that makes it slow")
        fast, slow_rounds = timed(None, seconds, fault=fault), until_quiet(slow, seconds, rounds, fault)
        before = timed(slow, 0.5, synchronous=True)
    late = min(slow_rounds, key=lambda one: one.advise.at(99))
    figures: dict[str, Value] = {
        **seen_on(fast, late, slow_rounds),
        **probed("before", before),
        **probed("after", late),
        "slow_disk_by": "a preloaded library" if slow else "not run",
        "calls_that_touch_files": len(listed),
    }
    return Findings(
        before=before.advise.metrics("advise on the synchronous road, slow disk", rejected=len(deciding_before)),
        after=late.advise.metrics("advise, slow disk", rejected=len(deciding), figures=figures),
        criteria=(
            equal("calls of `advise` that touch a file", len(deciding), 0),
            equal("calls of `record_result` that touch a file", len(recording), 0),
            at_least("calls listed that touch a file, all threads", len(listed), 5),
            at_least("ms that a write and a sync take on the slow disk", late.disk_ms if slow else None, 2.0 * SLOW_MS),
            *beside_a_slow_disk(bars, fast, late, before),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=true",
            validated=bool(deciding_before and recording_before) and before.advise.at(50) >= SLOW_MS,
            result=f"on the synchronous road `advise` makes {len(deciding_before)} kinds of calls that touch a file, "
            f"and takes {before.advise.at(50):.0f} ms on the slow disk; otherwise none and {late.advise.at(50):.4f} ms",
        ),
        not_run=tuple(not_run),
        files={"calls-that-touch-files.json": msgspec.json.format(msgspec.json.encode(listed))},
    )  # fmt: skip


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="note"` makes each decision write to a file, so that a test can see this proof fail."""
    return run_proof("FG-02", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments, {"measured": measure})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

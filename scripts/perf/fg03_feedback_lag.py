"""FG-03: how long after a result was recorded does advice reflect it, here, in another process, and on PostgreSQL.

usage: python scripts/perf/fg03_feedback_lag.py [--quick] [--json] [--metrics DIR]
"""

import itertools
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from control_plane import ControlPlane
from control_plane.evidence import Criterion, Rollback, at_least, at_most, equal
from control_plane.evidence.template import Value
from control_plane.flags import Flags
from control_plane.proving import Bars, Findings, HandClock, Latencies, Process, flags, run_proof, temporary_home
from control_plane.proving.database import NoServer, admit, postgres
from control_plane.proving.processes import heard, say
from control_plane.proving.signalling import catalogue, fail, reflects

FLAG = "OPENCODE_LEARNING_INVALIDATION"
SCRIPT = "scripts/perf/fg03_feedback_lag.py"
ROUNDS = 6
# A power of two, so that no rounding makes advice older than it is.
TICK_S = 0.25
# Longer than the seed allows: nobody gives up on a signal that may still be in time.
LONGEST_S = 12.0
TTL_MS, HERE_MS, THERE_MS, POSTGRES_MS = 10_000.0, 10.0, 250.0, 25.0


def wait_until_reflected(plane: ControlPlane, number: int, longest: float, between: float = 0.0005) -> float:
    began = time.monotonic()
    while not reflects(plane, number):
        if time.monotonic() - began > longest:
            return time.monotonic()
        # A caller that has something else to do between two decisions: the fold gets its turn.
        threading.Event().wait(between)
    return time.monotonic()


def in_process(told: Flags, signals: int, longest: float) -> Latencies:
    lags = Latencies()
    with temporary_home() as home, ControlPlane.open(home, catalogue=catalogue(signals), flags=told) as plane:
        for number in range(signals):
            assert not reflects(plane, number)
            plane.flush()
            recorded = fail(plane, number)
            lags.add(wait_until_reflected(plane, number, longest) - recorded)
    return lags


def in_rounds(told: Flags, signals: int, most: int, longest: float) -> list[Latencies]:
    """A round beside somebody else's work says little: until one keeps the bar, a few are tried, and all are shown."""
    rounds = [in_process(told, signals, longest)]
    while rounds[-1].at(99) > HERE_MS and len(rounds) < most:
        rounds.append(in_process(told, signals, longest))
    return rounds


def not_heard(told: Flags, signals: int) -> int:
    """However fast or slow: signals that are in the log and folded, and that the very next advice does not reflect."""
    with temporary_home() as home, ControlPlane.open(home, catalogue=catalogue(signals), flags=told) as plane:
        missed = 0
        for number in range(signals):
            assert not reflects(plane, number)
            fail(plane, number)
            plane.flush()
            plane.folder.catch_up()
            missed += not reflects(plane, number)
    return missed


def aged_out(told: Flags) -> Latencies:
    """Without invalidation, on a clock set by hand: how old may advice become?"""
    clock, lags = HandClock(), Latencies()
    with temporary_home() as home, ControlPlane.open(home, catalogue=catalogue(20), flags=told, clock=clock) as plane:
        for number in range(20):
            assert not reflects(plane, number)
            clock.pass_by(number * TICK_S)
            fail(plane, number)
            plane.flush()
            for ticks in itertools.count():
                if reflects(plane, number) or ticks > 200:
                    lags.add(ticks * TICK_S)
                    break
                clock.pass_by(TICK_S)
    return lags


def follow(told: dict[str, Any]) -> None:
    """The other process: keeps its advice ready, and says when it first reflects what was recorded elsewhere."""
    with ControlPlane.open(told["home"], state_dir=told["state"], catalogue=catalogue(told["signals"])) as plane:
        for number in range(told["signals"]):
            reflects(plane, number)
            say(ready=number)
            say(at=wait_until_reflected(plane, number, longest=LONGEST_S, between=0.002))
            heard()


def to_another(home: str, signals: int, state: Path | None = None) -> Latencies:
    """Both processes read the same monotonic clock, which is the machine's."""
    lags = Latencies()
    here, there = (None, None) if state is None else (str(state), str(state.with_name("there")))
    with ControlPlane.open(home, state_dir=here, catalogue=catalogue(signals), flags=flags()) as plane:
        if state is not None:
            admit(state, state.with_name("there"))
        told = {"home": home, "state": there, "signals": signals}
        process = Process(Path(__file__), "follower", told)
        for number in range(signals):
            process.next()
            recorded = fail(plane, number)
            lags.add(process.next()["at"] - recorded)
            process.tell(go=True)
        process.end()
    return lags


def on_postgres(signals: int, not_run: list[str]) -> Latencies | None:
    try:
        with postgres() as server, temporary_home() as home:
            return to_another(server.address("proof"), signals, home)
    except NoServer as fault:
        not_run.append(f"feedback lag on PostgreSQL: {fault}")
        return None


def in_time(bars: Bars, here: Latencies, there: Latencies, database: Latencies | None) -> Iterator[Criterion]:
    yield from bars.at_most("ms until advice reflects a signal, in process, p99", here.at(99), HERE_MS, seed=TTL_MS)
    yield from bars.at_most("ms until advice reflects a signal, elsewhere, p99", there.at(99), THERE_MS, seed=TTL_MS)
    yield at_most("ms until advice reflects a signal, at most", max(here.longest, there.longest) * 1e3, TTL_MS)
    if database is not None:
        yield at_most("ms until advice reflects a signal, PostgreSQL, p95", database.at(95), POSTGRES_MS)


def figures(rounds: Sequence[Latencies], there: Latencies, database: Latencies | None) -> dict[str, Value]:
    return {
        "p99_of_each_round": ", ".join(f"{lags.at(99):.2f}" for lags in rounds),
        "other_process_p50": there.at(50),
        "other_process_p99": there.at(99),
        "postgres_p50": database.at(50) if database else "not run",
        "postgres_p95": database.at(95) if database else "not run",
        "postgres_p99": database.at(99) if database else "not run",
    }


def prove(quick: bool, fault: str = "") -> Findings:
    signals, others, not_run = (100, 10, []) if quick else (300, 60, list[str]())
    signals = 5 if fault else signals
    off, on = flags(**{FLAG: "false"}), flags(**({FLAG: "false"} if fault == "deaf" else {}))
    before = aged_out(off)
    rounds = in_rounds(on, signals, 1 if fault or quick else ROUNDS, 0.5 if fault else LONGEST_S)
    here = min(rounds, key=lambda lags: lags.at(99))
    with temporary_home() as home:
        there = to_another(str(home), others)
    database = None if quick else on_postgres(others, not_run)
    again = aged_out(off)
    missed = not_heard(on, signals)
    not_run += ["feedback lag on PostgreSQL: only in the long form"] if quick else []
    return Findings(
        before=before.metrics("age of advice that a signal had overtaken, TTL only", accepted=before.count),
        after=here.metrics(
            "from a recorded signal to the first advice that reflects it, in process",
            accepted=here.count,
            figures=figures(rounds, there, database),
        ),
        criteria=(
            at_least("signals in process", here.count, signals),
            equal("signals in the log that the next advice does not reflect", missed, 0),
            *in_time(Bars(quick), here, there, database),
            at_most("ms that advice may be old without invalidation", before.longest * 1e3, TTL_MS),
            at_least("ms that advice was old without invalidation", before.at(50), 1_000.0),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=again.at(50) >= 1_000.0 and again.longest * 1e3 <= TTL_MS,
            result=f"advice was up to {again.longest:.1f} s old before it aged out; with invalidation up to "
            f"{here.longest * 1e3:.1f} ms",
        ),
        not_run=tuple(not_run),
    )


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="deaf"` takes the invalidation away, so that a test can see this proof fail."""
    return run_proof("FG-03", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments, {"follower": follow})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

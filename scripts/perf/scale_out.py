"""Scale-out: one, two and four processes on one PostgreSQL log. How much they write together, how soon it is committed,
and how soon the others' advice knows.

usage: python scripts/perf/scale_out.py [--quick] [--json] [--metrics DIR]
"""

import itertools
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from control_plane import ControlPlane, Policy, Task
from control_plane.cadence import Poll
from control_plane.evidence import Rollback, at_least, equal
from control_plane.evidence.template import Value
from control_plane.ledger.audit import verify
from control_plane.ledger.backend import Row
from control_plane.ledger.home import home_of
from control_plane.proving import Bars, Findings, Latencies, Process, flags, run_proof, temporary_home
from control_plane.proving.database import NoServer, Server, admit, postgres
from control_plane.proving.processes import heard, say
from control_plane.proving.signalling import SPARE, catalogue, fail, reflects
from control_plane.router.events import ResultRecorded
from control_plane.router.projection import ROUTER
from control_plane.watching import Watch

SCRIPT = "scripts/perf/scale_out.py"
KINDS = tuple(Task(type=f"kind-{number}", repo="acme/api", candidates=(SPARE,)) for number in range(50))
# As much may wait in a journal before its writer lets the database catch up.
BACKLOG, BATCH = 10_000, 200
# In the steady part each process decides so often.
STEADY_S, STEADY = 0.05, 5
LONGEST_S = 10.0
LOST_MS, COMMIT_MS, KEPT = 250.0, 250.0, 0.5


class Load(msgspec.Struct, frozen=True):
    processes: tuple[int, ...]
    seconds: float
    signals: int


WHOLE, QUICK = Load((1, 2, 4), 8.0, 60), Load((1, 2), 1.5, 8)


class Measured(msgspec.Struct):
    """What so many processes did together."""

    processes: int
    events: int = 0
    seconds: float = 0.0
    commit: Latencies = msgspec.field(default_factory=Latencies)
    told: Latencies = msgspec.field(default_factory=Latencies)
    acknowledged: int = 0
    stored: int = 0
    replayed: float = 0.0
    audited: bool = False

    @property
    def rate(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


def host(told: dict[str, Any]) -> None:
    """One process of the house: first as fast as it can, then steadily, and then it looks out for signals."""
    with ControlPlane.open(
        told["home"], state_dir=told["state"], catalogue=catalogue(told["signals"]), policy=Policy(), flags=flags()
    ) as plane:
        for task in KINDS:
            plane.advise(task)
        plane.flush()
        say(ready=True)
        heard()
        written = at_full_speed(plane, told["seconds"])
        say(written=written + (told["fault"] == "lose"))
        heard()
        lags: list[float] = []
        steadily = Watch(plane.ledger.clock, (steady(plane, lags),), coordinated=False)
        steadily.start()
        say(steady=True)
        while word := heard():
            if "stop" in word:
                break
            if "fail" in word:
                say(at=fail(plane, word["fail"]))
            else:
                say(ready=reflects(plane, word["look"]))
                say(at=wait_until_reflected(plane, word["look"]))
        steadily.stop()
        plane.flush()
        say(lags=lags)


def at_full_speed(plane: ControlPlane, seconds: float) -> int:
    """Results whose call returned within that time; all of them are committed on return."""
    ends, written = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for number in range(BATCH):
            decision = plane.advise(KINDS[number % len(KINDS)]).decision_id
            plane.record_result(decision, success=number % 3 > 0, latency_ms=100.0, cost_usd=0.01)
        written += BATCH
        if plane.ledger.backlog > BACKLOG:
            plane.flush()
    plane.flush()
    return written


def steady(plane: ControlPlane, lags: list[float]) -> Poll:
    """Some decisions at each beat; of the last result it is noted how long it took until it was committed."""
    waiting: dict[int, float] = {}
    numbers = itertools.count()

    def committed(rows: Sequence[Row]) -> None:
        now, (_, stream, version, _, _) = time.monotonic(), rows[-1]
        if stream == plane.ledger.stream:
            done = [frame for frame in list(waiting) if frame <= version]
            lags.extend(now - waiting.pop(frame) for frame in done)

    def beat() -> None:
        for number in itertools.islice(numbers, STEADY):
            decision = plane.advise(KINDS[number % len(KINDS)]).decision_id
            began = time.monotonic()
            plane.record_result(decision, success=True, latency_ms=100.0)
        waiting[plane.ledger.written()] = began

    plane.ledger.listen(committed)
    return Poll(name="steady", owner="proof", interval=STEADY_S, run=beat, threaded=True)


def wait_until_reflected(plane: ControlPlane, number: int) -> float:
    """Looks at what is folded, for each look by advice would be one more event that all of them fold."""
    began, held = time.monotonic(), plane.folder.state(ROUTER).held
    while f"arm-{number}" not in held and time.monotonic() - began < LONGEST_S:
        threading.Event().wait(0.001)
    assert reflects(plane, number)
    return time.monotonic()


def measure(server: Server, count: int, load: Load, fault: str) -> Measured:
    found = Measured(count)
    with temporary_home() as home:
        address = server.address(f"scale_{count}")
        with ControlPlane.open(address, state_dir=home, catalogue=catalogue(load.signals), background=False):
            pass
        hosts = [started(address, home, number, load, fault) for number in range(count)]
        for one in hosts:
            one.next()
        began = time.monotonic()
        for one in hosts:
            one.tell(go=True)
        found.acknowledged = sum(one.next()["written"] for one in hosts)
        # A decision and its result are two events.
        found.seconds, found.events = time.monotonic() - began, 2 * found.acknowledged
        for one in hosts:
            one.tell(go=True)
            one.next()
        # They decide steadily, and nobody does anything else for a while.
        threading.Event().wait(load.seconds / 2)
        look_out(hosts, load.signals, found.told)
        for one in hosts:
            one.tell(stop=True)
            for lag in one.next()["lags"]:
                found.commit.add(lag)
            one.end()
        judge(address, home, found, load)
    return found


def started(address: str, home: Path, number: int, load: Load, fault: str) -> Process:
    """As a host of its own would be: with its own folder for journal, snapshots and witness."""
    state = home.with_name(f"host-{number}")
    admit(home, state)
    told = {
        "home": address, "state": str(state), "signals": load.signals, "seconds": load.seconds,
        "fault": fault if number == 0 else "",
    }  # fmt: skip
    return Process(Path(__file__), "host", told)


def look_out(hosts: list[Process], signals: int, told: Latencies) -> None:
    """While all decide steadily, one hears of faults; how long until the others' advice knows, or its own if alone."""
    first, *others = hosts
    for number in range(signals):
        if not others:
            first.tell(fail=number)
            recorded = first.next()["at"]
            first.tell(look=number)
            first.next()
            told.add(max(0.0, first.next()["at"] - recorded))
            continue
        for one in others:
            one.tell(look=number)
            one.next()
        first.tell(fail=number)
        recorded = first.next()["at"]
        for one in others:
            told.add(max(0.0, one.next()["at"] - recorded))


def judge(address: str, home: Path, found: Measured, load: Load) -> None:
    """What lies in the log of the part at full speed, and whether all of it is as it was signed and decided."""
    with ControlPlane.open(address, state_dir=home, catalogue=catalogue(load.signals), background=False) as plane:
        after = 0
        while rows := plane.ledger.rows(after, 4096):
            for _, _, _, topic, state in rows:
                found.stored += topic == ResultRecorded.TOPIC and b'"cost_usd"' in bytes(state)
            after = rows[-1][0]
        parity = plane.replay()
        found.replayed = parity.matched / max(1, parity.decisions)
    found.audited = verify(home_of(address, home)).ok


def figures(every: list[Measured]) -> dict[str, Value]:
    """One row for each number of processes."""
    table: dict[str, Value] = {}
    for one in every:
        name = f"{one.processes}_process" + ("es" if one.processes > 1 else "")
        table[f"{name}_events_per_s"] = round(one.rate)
        for what, lags in (("commit", one.commit), ("invalidation", one.told)):
            for percentile in (50, 95, 99):
                table[f"{name}_{what}_p{percentile}_ms"] = round(lags.at(percentile), 2)
    return table


def prove(quick: bool, fault: str = "") -> Findings:
    load, bars = QUICK if quick else WHOLE, Bars(quick)
    with postgres() as server:
        every = [measure(server, count, load, fault) for count in load.processes]
    alone, most = every[0], every[-1]
    return Findings(
        before=alone.commit.metrics("from a result to its commit, one process", accepted=alone.acknowledged),
        after=most.commit.metrics(
            f"from a result to its commit, {most.processes} processes", accepted=most.acknowledged,
            figures=figures(every),
        ),
        criteria=(
            at_least("processes on one log", most.processes, max(load.processes)),
            equal("results lost or doubled", sum(abs(one.acknowledged - one.stored) for one in every), 0),
            equal("logs that verify", sum(one.audited for one in every), len(every)),
            equal("share of decisions that repeat", min(one.replayed for one in every), 1.0),
            at_least("signals that others were to hear of", min(one.told.count for one in every), load.signals),
            *bars.at_most("ms from a result to its commit, p95", most.commit.at(95), COMMIT_MS, seed=LONGEST_S * 1e3),
            *bars.at_most("ms until all others' advice knows, p95", most.told.at(95), LOST_MS, seed=LONGEST_S * 1e3),
            *bars.at_least("events a second of all, as a share of one alone", most.rate / alone.rate, KEPT),
        ),
        rollback=Rollback(
            switch="one process instead of many",
            validated=alone.audited and alone.acknowledged == alone.stored,
            result=f"one process alone writes {alone.rate:,.0f} events a second, all of them found again",
        ),
    )  # fmt: skip


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="lose"`: one process says that it wrote a result which it did not."""
    try:
        return run_proof("scale-out", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments, {"host": host})
    except NoServer as reason:
        sys.stderr.write(f"could not run: {reason}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

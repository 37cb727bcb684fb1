"""FG-09: every decision of several processes is decided again from the log alone, elsewhere too, on the same path.

usage: python scripts/replay/fg09_replay_parity.py [--quick] [--json] [--metrics DIR]
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from control_plane import Arm, ControlPlane, Policy, Task
from control_plane.evidence import Rollback, at_least, equal
from control_plane.evidence.template import Value
from control_plane.proving import Findings, HandClock, Latencies, Process, flags, run_proof, temporary_home
from control_plane.proving.processes import say
from control_plane.proving.pythons import VERSIONS, environment, interpreter
from control_plane.router.replay import Parity
from control_plane.router.situation import Situation
from control_plane.router.strategies import STRATEGIES, Choice, Strategy

FLAG, SEED = "OPENCODE_REPLAY_CAPTURE", "OPENCODE_REPLAY_SEED"
SCRIPT = "scripts/replay/fg09_replay_parity.py"
WRITERS = 3
HASH_SEEDS = ("0", "1", "31415")
CATALOGUE = [
    Arm("acme/strong", prior=0.7, price_in=3.0, price_out=15.0, tools=("bash", "web"), strengths=("python",)),
    Arm("acme/cheap", prior=0.5, price_in=0.2, price_out=0.8, tools=("bash",), context=50_000),
    Arm("other/middle", prior=0.6, price_in=1.0, price_out=4.0, tools=("bash",), fallback="acme/strong"),
    Arm("third/steady", prior=0.6, price_in=1.5, price_out=5.0, tools=("bash", "web")),
    Arm.cascade("cheap-then-strong", [("acme/cheap", "tests"), ("acme/strong", None)], prior=0.65),
]


class Replayed(msgspec.Struct):
    where: str
    decisions: int
    matched: int
    seconds: float

    @property
    def parity(self) -> float | None:
        return self.matched / self.decisions if self.decisions else None


def decide(told: dict[str, Any]) -> None:
    """One of several processes that decide and record at once in one home, on a clock of its own."""
    chance, clock = random.Random(told["seed"]), HandClock()  # noqa: S311 - traffic, again and again
    chosen = flags(**{FLAG: told["capture"], SEED: f"writer-{told['seed']}"})
    strategies = (*STRATEGIES, Strategy("whim", 60, whim)) if told["fault"] == "hidden-input" else STRATEGIES
    with ControlPlane.open(
        told["home"], catalogue=CATALOGUE, clock=clock, flags=chosen, policy=Policy(), strategies=strategies
    ) as plane:
        for number in range(told["decisions"]):
            clock.pass_by(chance.expovariate(10.0))
            step(plane, clock, chance, number)
    say(finished=True)


def step(plane: ControlPlane, clock: HandClock, chance: random.Random, number: int) -> None:
    task = any_task(chance, number)
    advice = plane.advise(task)
    clock.pass_by(chance.random())
    kind, ill = chance.random(), int(clock.now()) // 40 % 3 == 0 and advice.arm.startswith("acme")
    if ill and kind < 0.8:
        error = chance.choice(("server", "timeout", "connection", "rate_limit", "caller", "cancelled"))
        wait = 3.0 if error == "rate_limit" else None
        plane.record_result(advice.decision_id, error=error, latency_ms=900.0, retry_after_s=wait)
    elif len(advice.plan) > 1:
        passed = chance.random() < 0.6
        plane.record_result(advice.decision_id, step=0, verified=passed, cost_usd=0.002, latency_ms=500.0)
        if not passed:
            plane.record_result(advice.decision_id, step=1, success=kind < 0.7, cost_usd=0.03, latency_ms=1500.0)
    elif kind < 0.95:
        latency = chance.expovariate(1 / 700.0) * (6.0 if ill else 1.0)
        plane.record_result(advice.decision_id, success=kind < 0.6, latency_ms=latency, cost_usd=0.01 * kind)


def any_task(chance: random.Random, number: int) -> Task:
    return Task(
        type=f"kind-{chance.randrange(6)}",
        repo=chance.choice((None, "acme/api", "acme/web", f"new/{number // 200}")),
        session=chance.choice((None, f"session-{chance.randrange(12)}")),
        in_tool_loop=chance.random() < 0.1,
        tokens_in=chance.choice((None, None, 3_000, 90_000)),
        required_tools=chance.choice(((), (), ("bash",), ("web",))),
        strengths=chance.choice(((), ("python",))),
        budget_usd=chance.choice((None, None, 0.05)),
        deadline_ms=chance.choice((None, None, 20_000.0)),
        candidates=chance.choice((None, None, ("acme/strong", "other/middle"))),
        override="third/steady" if chance.random() < 0.02 else None,
        attempt=chance.choice((1, 1, 2)),
        description=chance.choice((None, "a text that stays out of the log")),
    )


def whim(situation: Situation) -> Choice:
    """A planted fault: it decides by something that no event holds."""
    return Choice.only(situation.arms.all[time.perf_counter_ns() % 3].name, "as the clock would have it")


def replay(told: dict[str, Any]) -> None:
    found = replayed_here(Path(told["home"]))
    say(decisions=found.decisions, matched=found.matched, seconds=found.seconds)


def replayed_here(home: Path) -> Replayed:
    with ControlPlane.open(home, catalogue=CATALOGUE, policy=Policy(), flags=flags(), background=False) as plane:
        began = time.perf_counter()
        found: Parity = plane.replay()
        return Replayed("this process", found.decisions, found.matched, time.perf_counter() - began)


def write(home: Path, decisions: int, capture: str, fault: str = "") -> None:
    told = {"home": str(home), "decisions": decisions // WRITERS + 1, "capture": capture, "fault": fault}
    with ControlPlane.open(home, catalogue=CATALOGUE, policy=Policy(), flags=flags(), background=False):
        pass
    writers = [Process(Path(__file__), "writer", {**told, "seed": seed}) for seed in range(WRITERS)]
    for writer in writers:
        writer.next()
        writer.end()


def replay_of_plain_traffic(home: Path, decisions: int) -> Replayed:
    """Many decisions from few kept choices, each with its result: what replaying costs where little is compiled."""
    chance = random.Random(5)  # noqa: S311 - traffic, again and again
    with ControlPlane.open(home, catalogue=CATALOGUE, policy=Policy(), flags=flags()) as plane:
        for _ in range(decisions):
            decision = plane.advise(Task(type=f"kind-{chance.randrange(20)}")).decision_id
            plane.record_result(decision, success=chance.random() < 0.7, latency_ms=300.0, cost_usd=0.01)
    return msgspec.structs.replace(replayed_here(home), where="plain traffic")


def replays_elsewhere(home: Path, quick: bool, not_run: list[str]) -> Iterator[Replayed]:
    for seed in HASH_SEEDS[: 1 if quick else None]:
        yield replayed_by(sys.executable, home, f"PYTHONHASHSEED={seed}", {"PYTHONHASHSEED": seed})
    for version in () if quick else VERSIONS:
        with tempfile.TemporaryDirectory() as folder:
            python = python_with_wheels(version, Path(folder), not_run)
            if python is not None:
                yield replayed_by(python, home, f"Python {version}", {"PYTHONHASHSEED": "7"})


def replayed_by(python: str, home: Path, where: str, environment: dict[str, str]) -> Replayed:
    process = Process(Path(__file__), "replayer", {"home": str(home)}, environment=environment, python=python)
    found = process.next()
    process.end()
    return Replayed(where, found.get("decisions", 0), found.get("matched", 0), found.get("seconds", 0.0))


def python_with_wheels(version: str, folder: Path, not_run: list[str]) -> str | None:
    """An interpreter of that version with what we need installed beside it, if this machine has one."""
    base = interpreter(version)
    if base is None:
        not_run.append(f"replay under Python {version}: there is none here")
        return None
    if base == sys.executable:
        return base
    try:
        return str(environment(base, folder))
    except (OSError, subprocess.SubprocessError) as fault:
        not_run.append(f"replay under Python {version}: its packages could not be installed ({type(fault).__name__})")
        return None


def without_inputs() -> Replayed:
    """What replay makes of decisions whose inputs were not captured."""
    with temporary_home() as home:
        write(home, 300, "false")
        return replayed_here(home)


def prove(quick: bool, fault: str = "") -> Findings:
    decisions, not_run = 300 if fault else 501 if quick else 20_001, list[str]()
    before = without_inputs()
    with temporary_home() as home:
        write(home, decisions, "true", fault)
        runs = [replayed_here(home), *replays_elsewhere(home, quick, not_run)]
        kinds = variety(home)
    again = without_inputs()
    with temporary_home() as home:
        plain = replay_of_plain_traffic(home, 300 if fault else 600 if quick else 50_000)
    figures: dict[str, Value] = {f"decisions, {run.where}": run.decisions for run in runs}
    figures["decisions_per_s"] = round(max(run.decisions / (run.seconds or 1.0) for run in runs))
    figures["decisions_per_s_plain_traffic"] = round(plain.decisions / plain.seconds)
    per_decision = Latencies([run.seconds / run.decisions for run in runs if run.decisions])
    return Findings(
        before=Latencies([before.seconds / before.decisions]).metrics(
            "replay of one decision, inputs not captured",
            accepted=before.matched,
            rejected=before.decisions - before.matched,
        ),
        after=per_decision.metrics(
            "replay of one decision with its result",
            accepted=sum(run.matched for run in runs),
            rejected=sum(run.decisions - run.matched for run in runs),
            figures={**figures, **kinds},
        ),
        criteria=(
            *[at_least(f"decisions, {run.where}", run.decisions, decisions) for run in runs],
            *[equal(f"parity, {run.where}", run.parity, 1.0) for run in [*runs, plain]],
            *[at_least(f"decisions that were {kind}", count, 1) for kind, count in kinds.items()],
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=again.decisions == before.decisions > 0 and again.matched == before.matched == 0,
            result=f"{again.matched} of {again.decisions} decisions can be decided again; {runs[0].matched} of "
            f"{runs[0].decisions} with their inputs captured",
        ),
        not_run=tuple(not_run),
    )  # fmt: skip


def variety(home: Path) -> dict[str, int]:
    """What the log had to offer: a replay of plain decisions alone would show little."""
    with ControlPlane.open(home, catalogue=CATALOGUE, policy=Policy(), flags=flags(), background=False) as plane:
        state = plane.stats()
        events = [event.event for event in plane.ledger.read(0, 1_000_000)]
    given = [event for event in events if event.TOPIC == "router.advice-given"]
    return {
        "probes": sum(event.probed for event in given),
        "bound to a session": sum(event.session is not None for event in given),
        "made for a stuck session": sum(event.stuck for event in given),
        "cascades": sum(event.arm == "cheap-then-strong" for event in given),
        "strategies": len(state.strategies),
        "beside a cooled arm": sum(event.TOPIC == "router.breaker-moved" for event in events),
    }


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="hidden-input"` lets a strategy decide by what is not recorded, so that a test can see this proof fail."""
    plays = {"writer": decide, "replayer": replay}
    return run_proof("FG-09", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments, plays)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""M0: how quick and reliable decisions are, how policy updates fared, in which states the plugins are."""

import contextlib
import random
import time
from collections import Counter
from pathlib import Path

import msgspec

from ..clock import Clock
from ..errors import BadInput
from ..evidence import Rollback, at_least, equal
from ..evidence.template import Value
from ..governance.events import PolicyAdvanced, PolicyProposed, PolicyRefused, PolicyRolledBack
from ..jsonc import loads
from ..ledger.home import Home
from ..ledger.opening import Opened
from ..plane import ControlPlane
from ..rooms import CATALOGUE
from ..router.terms import Task
from .frame import Findings
from .hand import HandClock
from .homes import arms, flags, temporary_home
from .latencies import Latencies

ITEM = "M0"
ARMS, KINDS, BATCH = 20, 10, 20
ACCEPTED = frozenset(event.TOPIC for event in (PolicyProposed, PolicyAdvanced, PolicyRolledBack))
CONFIGURATIONS = ("opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc")
PLUGIN_FOLDERS = (".opencode/plugin", ".opencode/plugins")


class Taken(msgspec.Struct):
    """The same traffic, watched or not: the path of each decision, and how long the calls lasted."""

    paths: list[str] = []
    advise: Latencies = msgspec.field(default_factory=Latencies)
    record: Latencies = msgspec.field(default_factory=Latencies)
    seconds: float = 0.0


def baseline(decisions: int, folder: Path, home: Home | None, *, nosy: bool = False) -> Findings:
    """`folder` holds OpenCode's configuration, `home` a ledger that is only read; decisions are made in others.

    `nosy` plants a fault: a watcher that records results of its own.
    """
    unwatched, watched, again = traffic(decisions), traffic(decisions, watched=True, nosy=nosy), traffic(decisions)
    figures: dict[str, Value] = {
        "p50_of_record_result": watched.record.at(50),
        "p95_of_record_result": watched.record.at(95),
        "p99_of_record_result": watched.record.at(99),
        **policy_updates(home),
        **{f"plugins_{state}": count for state, count in sorted(plugin_states(folder).items())},
    }
    alike = sum(map(str.__eq__, again.paths, watched.paths))
    return Findings(
        before=Latencies([unwatched.seconds / decisions]).metrics(
            "advise, nobody watching; the mean", accepted=len(unwatched.paths)
        ),
        after=watched.advise.metrics("advise", accepted=len(watched.paths), figures=figures),
        criteria=(
            at_least("decisions timed", watched.advise.count, decisions),
            at_least("results timed", watched.record.count, decisions),
            equal("decisions that take another path when they are watched", differing(unwatched, watched), 0),
        ),
        rollback=Rollback(
            switch="remove scripts/perf/m0_baseline.py",
            validated=differing(again, unwatched) == 0,
            result=f"without it {alike} of {decisions} decisions take the path that they took under it",
        ),
    )


def differing(one: Taken, other: Taken) -> int:
    return sum(map(str.__ne__, one.paths, other.paths))


def traffic(decisions: int, *, watched: bool = False, nosy: bool = False) -> Taken:
    """Decisions and their results in a home of its own; the clock and all chance are the same each time."""
    chance, clock, taken = random.Random(7), HandClock(), Taken()  # noqa: S311 - traffic, again and again
    told = flags(OPENCODE_REPLAY_SEED="baseline")
    with (
        temporary_home() as home,
        ControlPlane.open(home, catalogue=arms(ARMS), clock=clock, flags=told, background=False) as plane,
    ):
        for start in range(0, decisions, BATCH):
            clock.pass_by(1.0)
            tasks = [Task(type=f"kind-{chance.randrange(KINDS)}") for _ in range(min(BATCH, decisions - start))]
            began, given = time.perf_counter(), []
            for task in tasks:
                called = time.perf_counter()
                given.append(plane.advise(task))
                if watched:
                    taken.advise.add(time.perf_counter() - called)
            taken.seconds += time.perf_counter() - began
            for advice in given:
                taken.paths.append(advice.path_hash)
                called = time.perf_counter()
                plane.record_result(advice.decision_id, success=chance.random() < 0.7, latency_ms=100.0)
                if watched:
                    taken.record.add(time.perf_counter() - called)
                if nosy:
                    plane.record_result(arm=advice.arm, task=tasks[0], success=False)
            plane.flush()
            plane.folder.catch_up()
    return taken


def policy_updates(home: Home | None) -> dict[str, Value]:
    """Steps of policies in that ledger that were taken and those that were refused."""
    topics: Counter[str] = Counter()
    if home is not None:
        with contextlib.closing(Opened(home, CATALOGUE, Clock(), signing=False)) as opened:
            after = 0
            while rows := opened.backend.rows(after, 4096):
                topics.update(topic for _, _, _, topic, _ in rows)
                after = rows[-1][0]
    accepted, rejected = sum(topics[topic] for topic in ACCEPTED), topics[PolicyRefused.TOPIC]
    updates = accepted + rejected
    return {
        "policy_updates_accepted": accepted,
        "policy_updates_rejected": rejected,
        "policy_acceptance_ratio": accepted / updates if updates else "no update yet",
        "policy_rejection_ratio": rejected / updates if updates else "no update yet",
    }


def plugin_states(folder: Path) -> Counter[str]:
    """What can be told of OpenCode's plugins while it does not run: a package's state is unknown until it does."""
    states = Counter(discovered=0, not_discovered=0, unknown=0)
    for plugin in configured_plugins(folder):
        if plugin.startswith(("file:", ".", "/")):
            found = (folder / plugin.removeprefix("file://")).exists()
            states["discovered" if found else "not_discovered"] += 1
        else:
            states["unknown"] += 1
    files = [file for place in PLUGIN_FOLDERS for file in (folder / place).glob("*.[jt]s")]
    states["discovered"] += len(files)
    return states


def configured_plugins(folder: Path) -> list[str]:
    """Each is an address, or an address and its options."""
    names: list[str] = []
    for path in (folder / name for name in CONFIGURATIONS):
        if path.is_file():
            try:
                configured = loads(path.read_bytes())
            except msgspec.DecodeError as fault:
                raise BadInput(f"{path.name} cannot be read", why=str(fault)) from None
            listed = configured.get("plugin", []) if isinstance(configured, dict) else []
            names += [str(entry[0]) if isinstance(entry, list) and entry else str(entry) for entry in listed]
    return names

"""A soak in one process and without faults: some beats of each part, and what it said."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import msgspec

from control_plane import ControlPlane, Policy
from control_plane.clock import Clock
from control_plane.proving import flags
from control_plane.router.events import ResultRecorded
from control_plane.soak.crew import Heard, Site, settle
from control_plane.soak.judging import Judged, judge
from control_plane.soak.playing import ARMS, Guarding, Routing, Talking

BEATS = 12


class Performed(msgspec.Struct):
    """A log with what was acknowledged, and the fault that is planted before it is judged."""

    site: Site
    heard: Heard
    fault: str = ""

    def judged(self) -> Judged:
        return judge(self.site, self.heard, (0.0, 0.0), self.fault)


def perform(folder: Path) -> Performed:
    site, heard = settle("sqlite", folder, None, None), Heard()
    told = {"agent": "sqlite-0", "threads": site.threads, "load": 400.0, "fault": ""}

    def say(**words: object) -> None:
        heard.note(words)

    enforced = flags(OPENCODE_ENFORCEMENT_MODE="enforce")
    with ControlPlane.open(
        site.home, catalogue=ARMS, policy=Policy(), clock=Clock(), flags=enforced, background=False
    ) as plane:
        for part in (Routing, Talking, Guarding):
            beat = part(plane, told, say)
            for _ in range(BEATS):
                beat()
    return Performed(site, heard)


@functools.cache
def once() -> tuple[Path, Performed]:
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, perform(folder)


def performed(folder: Path) -> Performed:
    """The same again in a folder of its own."""
    template, made = once()
    shutil.copytree(template / "sqlite", folder / "sqlite")
    heard = Heard()
    heard.results, heard.posts, heard.checks = dict(made.heard.results), [*made.heard.posts], [*made.heard.checks]
    heard.wakes = made.heard.wakes.copy()
    home = str(folder / "sqlite" / ".opencode" / "control-plane")
    return Performed(msgspec.structs.replace(made.site, home=home), heard)


def doubled(made: Performed) -> Performed:
    """One of the results once more, by another road."""
    decision, latency = next(iter(made.heard.results.items()))
    with ControlPlane.open(made.site.home, catalogue=ARMS, background=False) as plane:
        again = ResultRecorded(at=1.0, arm=ARMS[0].name, task_type="kind-0", decision=decision, latency_ms=latency)
        plane.ledger.append("elsewhere", [again])
    return made

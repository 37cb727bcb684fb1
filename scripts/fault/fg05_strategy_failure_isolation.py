"""FG-05: a strategy that raises, hangs or answers nonsense is passed over, and is back within a second when it is well.

usage: python scripts/fault/fg05_strategy_failure_isolation.py [--quick] [--json] [--metrics DIR]
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from control_plane import ControlPlane, Task
from control_plane.evidence import Rollback, at_least, at_most, equal
from control_plane.evidence.template import Value
from control_plane.flags import Flags
from control_plane.proving import Bars, Findings, Latencies, arms, flags, run_proof, temporary_home
from control_plane.router.health import HealthPolicy
from control_plane.router.situation import Situation
from control_plane.router.strategies import STRATEGIES, Choice, Strategy

FLAG = "OPENCODE_STRATEGY_BYPASS"
SCRIPT = "scripts/fault/fg05_strategy_failure_isolation.py"
SEED_S = 30.0
# More than a healthy answer takes beside other work, so that only an ill one uses it up.
BUDGET_MS = 50.0
NAME = "somebody-elses"
THRESHOLD = HealthPolicy().threshold
KINDS = ("raises", "hangs", "answers nonsense", "answers with the wrong type")
# Asked so many times while it is ill, each time for another kind of task, so that no kept choice answers instead.
WHILE_ILL = 40


class Patient:
    """A strategy that does as it is told."""

    def __init__(self) -> None:
        self.kind = "well"
        self.asked = 0
        self._never = threading.Event()

    def choose(self, situation: Situation) -> Choice | None:
        self.asked += 1
        answers: dict[str, Callable[[], Any]] = {
            "well": lambda: Choice.only(situation.arms.all[0].name, "a strategy of somebody else"),
            "raises": lambda: 1 / 0,
            "hangs": self._never.wait,
            "answers nonsense": lambda: Choice(("nobody",), (-1,), (7.0,), "nonsense"),
            "answers with the wrong type": lambda: {"arm": 7},
        }
        return answers[self.kind]()

    def recover(self) -> None:
        self.kind = "well"
        self._never.set()


class Course(msgspec.Struct):
    """One illness from its first failure to the decision that follows the strategy again."""

    kind: str
    asked_while_ill: int
    asked_before_bypass: int
    unserved: int
    followed_while_ill: int
    first_healthy_ms: float
    probes_until_back: int
    back_after_ms: float
    active_bypass: int


def ail(plane: ControlPlane, patient: Patient, kind: str, took: Latencies, ill_for: float) -> Course:
    kinds = itertools.count()
    unserved = followed = before_bypass = 0
    asked, patient.kind, began, healthy = patient.asked, kind, time.perf_counter(), 0.0
    for _ in range(WHILE_ILL):
        called = time.perf_counter()
        try:
            advice = plane.advise(Task(type=f"kind-{next(kinds)}"))
        except Exception:
            unserved += 1
        else:
            followed += advice.strategy == NAME
            healthy = healthy or time.perf_counter() - began
        took.add(time.perf_counter() - called)
        # Only until its first bypass: where all this takes long, that has passed by and a probe is due.
        if not before_bypass and (plane.stats().strategy_health.active_bypass or patient.asked > asked + THRESHOLD):
            before_bypass = patient.asked - asked
    while time.perf_counter() - began < ill_for:
        threading.Event().wait(0.01)
        followed += plane.advise(Task(type=f"kind-{next(kinds)}")).strategy == NAME
    bypassed, while_ill = plane.stats().strategy_health.active_bypass, patient.asked - asked
    asked, cleared = patient.asked, time.perf_counter()
    patient.recover()
    while (
        plane.advise(Task(type=f"kind-{next(kinds)}")).strategy != NAME and time.perf_counter() - cleared < SEED_S + 5.0
    ):
        threading.Event().wait(0.002)
    back = time.perf_counter() - cleared
    return Course(
        kind,
        while_ill,
        before_bypass or patient.asked - asked,
        unserved,
        followed,
        healthy * 1e3,
        patient.asked - asked,
        back * 1e3,
        bypassed,
    )


def watch(told: Flags, ill_for: float = 0.0) -> tuple[list[Course], Latencies]:
    took, courses = Latencies(), []
    for kind in KINDS:
        patient = Patient()
        with temporary_home() as home:
            strategy = Strategy(NAME, 60, patient.choose, budget_ms=BUDGET_MS)
            with ControlPlane.open(home, catalogue=arms(10), flags=told, strategies=(*STRATEGIES, strategy)) as plane:
                courses.append(ail(plane, patient, kind, took, ill_for))
    return courses, took


def figures(courses: list[Course]) -> dict[str, Value]:
    return {
        f"{course.kind}: {name}": value
        for course in courses
        for name, value in msgspec.structs.asdict(course).items()
        if name != "kind"
    }


def prove(quick: bool, fault: str = "") -> Findings:
    off, on = flags(**{FLAG: "false"}), flags(**({FLAG: "false"} if fault == "no-bypass" else {}))
    before, slow = watch(off)
    after, fast = watch(on)
    # Ill for so long that its cooldown has grown to the most that it may.
    for _ in range(0 if quick else 4):
        more, _ = watch(on, ill_for=3.0)
        after += more
    again, _ = watch(off)
    # Calls that hang are not piled up without end, bypass or not.
    asked = [course.asked_while_ill for course in again if course.kind != "hangs"]
    bypassed = [course.asked_while_ill for course in after]
    return Findings(
        before=slow.metrics("advise while a strategy is ill, no bypass", figures=figures(before)),
        after=fast.metrics("advise while a strategy is ill", figures=figures(after[: len(KINDS)])),
        criteria=(
            at_least("kinds of failure", len({course.kind for course in after}), len(KINDS)),
            at_most("calls before the bypass", max(course.asked_before_bypass for course in after), THRESHOLD),
            equal("decisions that were not served", sum(course.unserved for course in [*before, *after]), 0),
            equal("decisions that followed the ill strategy", sum(c.followed_while_ill for c in [*before, *after]), 0),
            at_most("ms from the fault to a healthy decision", max(c.first_healthy_ms for c in after), SEED_S * 1e3),
            at_most("strategies passed over at a time", max(course.active_bypass for course in after), 1),
            equal("probes until it is back", max(course.probes_until_back for course in after), 1),
            *Bars(quick).at_most(
                "ms from its recovery to a decision that follows it",
                max(c.back_after_ms for c in after), 1_000.0, seed=SEED_S * 1e3,
            ),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=min(asked) == WHILE_ILL and all(course.active_bypass == 0 for course in again),
            result=f"an ill strategy was asked for {min(asked)} to {max(asked)} of {WHILE_ILL} decisions; "
            f"with the bypass for {min(bypassed)} to {max(bypassed)}",
        ),
    )  # fmt: skip


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="no-bypass"` takes the bypass away, so that a test can see this proof fail."""
    return run_proof("FG-05", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the proofs of both gates do: a policy on a real plane, keys of every standing, attempts by the thousand."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..evidence import Metrics
from ..evidence.template import Value
from ..flags import Flags
from ..governance.audit import Audit, audit
from ..governance.rules import StepRefused
from ..ledger.home import Home
from ..ledger.key_changes import admit, revoke
from ..ledger.keys import load_key
from ..ledger.opening import Opened
from ..plane import ControlPlane
from ..rooms import CATALOGUE
from ..router.terms import Arm
from .attempts import Attempts, Keys, stranger
from .hand import HandClock
from .homes import temporary_home
from .latencies import Latencies

NAME, OTHER = "careful", "bold"
ACTOR, WHY = "proof", "as the proof says"
ARMS = (Arm("acme/one"), Arm("acme/two"))
FLAG, STRICT = "OPENCODE_ENFORCEMENT_MODE", "enforce"
Gate = Callable[[bytes | str | None], object]


class Site(NamedTuple):
    """A real plane on which a policy stands, and the keys to sign for it with."""

    home: Path
    clock: HandClock
    plane: ControlPlane
    keys: Keys

    def attempts(self, kind: str, seed: int = 1) -> Attempts:
        return Attempts(self.plane, NAME, kind, self.keys, seed)

    def propose(self, name: str = NAME, note: str = "") -> None:
        """A draft that asks for the strict flag; another note makes it another content."""
        text = f'name = "{name}"\ndescription = "{note}"\n[flags]\n{FLAG} = "{STRICT}"\n'
        self.plane.policies.propose(text, actor=ACTOR, reason=WHY)

    def advance(
        self,
        to: str,
        name: str = NAME,
        *,
        simulation: bytes | str | None = None,
        evaluation: bytes | str | None = None,
    ) -> None:
        self.plane.policies.advance(name, to=to, actor=ACTOR, reason=WHY, simulation=simulation, evaluation=evaluation)

    def rollback(self, name: str = NAME) -> None:
        self.plane.policies.rollback(name, actor=ACTOR, reason=WHY)

    def audit(self) -> Audit:
        """The whole log, judged by what it says."""
        events = (found.event for found in self.plane.ledger.read(0, 1_000_000))
        with self.opened() as opened:
            return audit(events, opened.keyring())

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        found = Opened(Home(self.home), CATALOGUE, self.clock)
        try:
            yield found
        finally:
            found.close()


@contextmanager
def site(flags: Flags | None = None) -> Iterator[Site]:
    clock = HandClock()
    with (
        temporary_home() as home,
        ControlPlane.open(home, catalogue=ARMS, clock=clock, flags=flags, background=False) as plane,
    ):
        own = load_key(Home(home).key, Home(home).identity().origin)
        found = Site(home, clock, plane, Keys(own, *(stranger(own.verifier.name) for _ in range(2))))
        with found.opened() as opened:
            admit(opened, found.keys.revoked.verifier)
            revoke(opened, found.keys.revoked.verifier)
        found.propose()
        yield found


class Course(msgspec.Struct):
    """How attempts went at a gate."""

    refused: int = 0
    rightly: int = 0
    passed: int = 0
    let_in: int = 0
    wrong: list[str] = []
    took: Latencies = msgspec.field(default_factory=Latencies)

    def metrics(self, of: str, figures: dict[str, Value]) -> Metrics:
        """The gate's own percentiles; what was let in though it should not have been counts as an error."""
        accepted = self.passed + self.let_in
        return self.took.metrics(of, accepted=accepted, rejected=self.refused, errors=self.let_in, figures=figures)


def run_bad(
    course: Course, attempts: Attempts, gate: Gate, count: int, ready: Callable[[str], None], undo: Callable[[], None]
) -> None:
    """Attempts that must not pass; `ready` is told the form before each, `undo` takes back what passed all the same."""
    for _ in range(count):
        ready(attempts.upcoming)
        attempt = attempts.bad()
        verdict = attempted(course, gate, attempt.offer)
        if verdict == "ok":
            course.let_in += 1
            undo()
        else:
            course.refused += 1
        course.rightly += verdict == attempt.verdict
        if verdict != attempt.verdict and len(course.wrong) < 10:
            course.wrong.append(f"{attempt.form}: {verdict}, not {attempt.verdict}")


def run_good(course: Course, attempts: Attempts, gate: Gate, count: int, undo: Callable[[], None]) -> None:
    for _ in range(count):
        verdict = attempted(course, gate, attempts.good())
        if verdict == "ok":
            course.passed += 1
            undo()
        else:
            course.wrong.append(f"valid: {verdict}")


def attempted(course: Course, gate: Gate, offer: bytes | str | None) -> str:
    """The gate's one word."""
    began = time.perf_counter()
    try:
        gate(offer)
    except StepRefused as fault:
        return fault.verdict
    finally:
        course.took.add(time.perf_counter() - began)
    return "ok"

"""FG-12: nothing strict happens without a valid, fresh simulation of the policy that asks for it.

usage: python scripts/governance/fg12_sim_gate.py [--quick] [--json] [--metrics DIR]
"""

import sys
from collections.abc import Sequence

from control_plane.evidence import Rollback, at_least, equal
from control_plane.flags import Flags
from control_plane.proving import Findings, flags, run_proof
from control_plane.proving.facts import CHANGES
from control_plane.proving.gates import ACTOR, FLAG, STRICT, WHY, Course, Site, attempted, run_bad, run_good, site

GATE = "OPENCODE_SIM_GATE"
SCRIPT = "scripts/governance/fg12_sim_gate.py"


class Strict:
    """A strict flip, asked for by a policy: by hand, and as a step of the policy itself."""

    def __init__(self, at: Site) -> None:
        self._at, self._note = at, 0

    def flip(self, offer: bytes | str | None) -> None:
        self._at.plane.flips.flip(FLAG, STRICT, actor=ACTOR, reason=WHY, policy="careful", simulation=offer)

    def unflip(self) -> None:
        self._at.plane.flips.flip(FLAG, None, actor=ACTOR, reason=WHY)

    def step(self, offer: bytes | str | None) -> None:
        self._at.advance("simulated", simulation=offer)

    def ready(self, form: str) -> None:
        """Nothing was ever handed in of a new revision."""
        if form == "nothing":
            self._note += 1
            self._at.propose(note=f"draft {self._note}")


def course(told: Flags | None, bad: int, good: int) -> tuple[Course, int, int, bool]:
    """The course, its strict acts, those of them that the log links to a simulation, and whether the log is sound."""
    found = Course()
    with site(told) as at:
        strict = Strict(at)
        attempts = at.attempts("simulation")
        run_bad(found, attempts, strict.flip, bad // 2, strict.ready, strict.unflip)
        run_bad(found, attempts, strict.step, bad - bad // 2, strict.ready, at.rollback)
        run_good(found, attempts, strict.flip, good // 2, strict.unflip)
        run_good(found, attempts, strict.step, good - good // 2, at.rollback)
        flips = at.plane.flips.made()
        acts = [one for one in flips if one.name == FLAG and one.value == STRICT]
        audit = at.audit()
        linked = audit.linked + sum(bool(one.simulation) for one in acts)
        return found, audit.advances + len(acts), linked, audit.ok


def stale(told: Flags | None) -> dict[str, str]:
    """The gate's word after each single change; `ok` would be a stale artifact that passed."""
    said: dict[str, str] = {}
    for fact, change in {**CHANGES, "nothing": None}.items():
        with site(told) as at:
            artifact = at.attempts("simulation").good()
            if change is not None:
                change.make(at)
            said[fact] = attempted(Course(), Strict(at).step, artifact)
    return said


def switched() -> tuple[str, str, str]:
    """The same empty-handed attempt: refused, let through after one flip of the gate's flag, refused after another."""
    with site() as at:
        said = [attempted(Course(), Strict(at).step, None)]
        at.plane.flips.flip(GATE, "false", actor=ACTOR, reason=WHY)
        said.append(attempted(Course(), Strict(at).step, None))
        at.rollback()
        at.plane.flips.flip(GATE, None, actor=ACTOR, reason=WHY)
        said.append(attempted(Course(), Strict(at).step, None))
    return said[0], said[1], said[2]


def prove(quick: bool, fault: str = "") -> Findings:
    bad, good = (62, 8) if quick else (2_000, 200)
    off = flags(**{GATE: "false"})
    told = off if fault == "no-gate" else None
    before, acts_before, linked_before, _ = course(off, bad // 4, 0)
    after, acts, linked, sound = course(told, bad, good)
    said = stale(told)
    noticed = sum(said[fact] == f"policy_sim_{change.verdict}" for fact, change in CHANGES.items())
    shut, opened, again = switched()
    return Findings(
        before=before.metrics("an attempt, the gate off", {"strict_acts": acts_before, "linked": linked_before}),
        after=after.metrics("an attempt at the gate", {"strict_acts": acts, "linked": linked} | words(after)),
        criteria=(
            at_least("attempts without a valid, fresh simulation", after.refused + after.let_in, bad),
            equal("of these let in", after.let_in, 0),
            equal("refused with the right reason", after.rightly, bad),
            equal("valid ones that passed", after.passed, good),
            equal("strict acts without a simulation linked in the log", acts - linked, 0),
            equal("every act in the log is signed by its maker", sound, True),
            equal("single facts whose change is noticed, by name", noticed, len(CHANGES)),
            equal("with nothing changed it passes", said["nothing"], "ok"),
            equal("let in with the gate off", before.let_in, bad // 4),
        ),
        rollback=Rollback(
            switch=f"{GATE}=false",
            validated=(shut, opened, again) == ("missing_policy_sim_gate", "ok", "missing_policy_sim_gate"),
            result=f"an attempt without a simulation: {shut}; after the flag was flipped: {opened}; and back: {again}",
        ),
    )


def words(found: Course) -> dict[str, str]:
    return {f"wrong_{number}": wrong for number, wrong in enumerate(found.wrong, 1)}


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="no-gate"` leaves the gate open, so that a test can see this proof fail."""
    return run_proof("FG-12", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

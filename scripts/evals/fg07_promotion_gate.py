"""FG-07: no policy is promoted without a passed evaluation whose difference is surely no loss.

usage: python scripts/evals/fg07_promotion_gate.py [--quick] [--json] [--metrics DIR]
"""

import sys
from collections.abc import Sequence

from control_plane.evidence import Rollback, at_least, equal
from control_plane.flags import Flags
from control_plane.governance.artifacts import EvaluationReport
from control_plane.governance.events import ArtifactRecorded, PolicyAdvanced
from control_plane.governance.gates import judge_evaluation
from control_plane.proving import Findings, flags, run_proof
from control_plane.proving.facts import CHANGES
from control_plane.proving.gates import ACTOR, WHY, Course, Site, attempted, run_bad, run_good, site

GATE = "OPENCODE_EVAL_GATE"
SCRIPT = "scripts/evals/fg07_promotion_gate.py"
# A candidate that is better, one that is worse, and one of which nobody can tell.
BETTER, WORSE, ALIKE = [0.8, 0.9, 1.0, 0.9] * 10, [0.1, 0.2, 0.3, 0.1] * 10, [0.5, 0.6, 0.4, 0.55, 0.45] * 8
BASELINE = [0.5, 0.4, 0.6, 0.5] * 10


class Promotion:
    """A policy whose simulation passed, before the step that needs its evaluation."""

    def __init__(self, at: Site) -> None:
        self._at, self._note = at, 0
        self._simulations = at.attempts("simulation", 2)
        at.advance("simulated", simulation=self._simulations.good())

    def step(self, offer: bytes | str | None) -> None:
        self._at.advance("evaluated", simulation=self._simulations.good(), evaluation=offer)

    def ready(self, form: str) -> None:
        """Nothing was ever handed in of a new revision."""
        if form == "nothing":
            self._note += 1
            self._at.propose(note=f"draft {self._note}")
            self._at.advance("simulated", simulation=self._simulations.good())


def course(told: Flags | None, bad: int, good: int) -> tuple[Course, int, int, bool]:
    """The course, the promotions that the log holds, those of them with a passing delta, and whether it is sound."""
    found = Course()
    with site(told) as at:
        promotion = Promotion(at)
        attempts = at.attempts("evaluation")
        run_bad(found, attempts, promotion.step, bad, promotion.ready, at.rollback)
        run_good(found, attempts, promotion.step, good, at.rollback)
        promoted, passing = promotions(at)
        return found, promoted, passing, at.audit().ok


def promotions(at: Site) -> tuple[int, int]:
    """What the log itself says: each step to `evaluated`, and the delta of the artifact that it names."""
    held: dict[str, EvaluationReport] = {}
    gates = at.plane.policies.document("careful").gates
    promoted = passing = 0
    for event in (found.event for found in at.plane.ledger.read(0, 1_000_000)):
        if isinstance(event, ArtifactRecorded) and event.kind == "evaluation":
            report = at.plane.policies.opened("evaluation", event.envelope.encode())
            assert isinstance(report, EvaluationReport)
            held[event.digest] = report
        if isinstance(event, PolicyAdvanced) and event.after == "evaluated":
            promoted += 1
            named = held.get(event.evaluation)
            passing += named is not None and judge_evaluation(named, gates) == "ok"
    return promoted, passing


def stale(told: Flags | None) -> dict[str, str]:
    """The gate's word after each single change, beside a simulation that is always fresh."""
    said: dict[str, str] = {}
    for fact, change in {**CHANGES, "nothing": None}.items():
        with site(told) as at:
            artifact = at.attempts("evaluation").good()
            if change is not None:
                change.make(at)
            said[fact] = at.plane.policies.judge("careful", evaluation=artifact)["evaluation"].verdict
    return said


def measured() -> tuple[str, str, str]:
    """Evaluations made of scores by our own bootstrap, at the gate."""
    with site() as at:
        promotion = Promotion(at)
        offers = [at.plane.policies.evaluate("careful", scores, BASELINE)[1] for scores in (WORSE, ALIKE, BETTER)]
        worse, alike, better = (attempted(Course(), promotion.step, offer) for offer in offers)
    return worse, alike, better


def switched() -> tuple[str, str, str]:
    """The same empty-handed attempt: refused, let through after one flip of the gate's flag, refused after another."""
    with site() as at:
        promotion = Promotion(at)
        said = [attempted(Course(), promotion.step, None)]
        at.plane.flips.flip(GATE, "false", actor=ACTOR, reason=WHY)
        said.append(attempted(Course(), promotion.step, None))
        at.rollback()
        at.plane.flips.flip(GATE, None, actor=ACTOR, reason=WHY)
        said.append(attempted(Course(), promotion.step, None))
    return said[0], said[1], said[2]


def prove(quick: bool, fault: str = "") -> Findings:
    bad, good = (32, 6) if quick else (2_000, 200)
    off = flags(**{GATE: "false"})
    told = off if fault == "no-gate" else None
    before, promoted_before, passing_before, _ = course(off, bad // 4, 0)
    after, promoted, passing, sound = course(told, bad, good)
    said = stale(told)
    noticed = sum(said[fact] == f"eval_{change.verdict}" for fact, change in CHANGES.items())
    worse, alike, better = measured()
    shut, opened, again = switched()
    return Findings(
        before=before.metrics("an attempt, the gate off", {"promotions": promoted_before, "passing": passing_before}),
        after=after.metrics("an attempt at the gate", {"promotions": promoted, "passing": passing} | words(after)),
        criteria=(
            at_least("attempts without a valid, fresh evaluation", after.refused + after.let_in, bad),
            equal("of these let in", after.let_in, 0),
            equal("refused with the right reason", after.rightly, bad),
            equal("valid ones that passed", after.passed, good),
            equal("promotions in the log without a passing delta", promoted - passing, 0),
            equal("every act in the log is signed by its maker", sound, True),
            equal("single facts whose change is noticed, by name", noticed, len(CHANGES)),
            equal("with nothing changed it passes", said["nothing"], "ok"),
            equal("scores that are worse", worse, "eval_report_not_passed"),
            equal("scores of which nobody can tell", alike, "eval_inconclusive"),
            equal("scores that are better", better, "ok"),
            equal("let in with the gate off", before.let_in, bad // 4),
        ),
        rollback=Rollback(
            switch=f"{GATE}=false",
            validated=(shut, opened, again) == ("missing_eval_gate", "ok", "missing_eval_gate"),
            result=f"an attempt without an evaluation: {shut}; after the flag was flipped: {opened}; and back: {again}",
        ),
    )


def words(found: Course) -> dict[str, str]:
    return {f"wrong_{number}": wrong for number, wrong in enumerate(found.wrong, 1)}


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="no-gate"` leaves the gate open, so that a test can see this proof fail."""
    return run_proof("FG-07", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

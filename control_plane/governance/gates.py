"""What the gates ask of a report: pure, and each answer is one word. A figure that is missing fails."""

from typing import NamedTuple

from . import verdicts
from .artifacts import Bound, EvaluationReport, SimulationReport
from .document import Gates
from .state import GovernanceState
from .verdicts import Verdict


class Judged(NamedTuple):
    """A gate's answer about one artifact."""

    kind: str
    verdict: str
    words: str = ""
    digest: str = ""
    envelope: bytes = b""
    report: SimulationReport | EvaluationReport | None = None

    @property
    def ok(self) -> bool:
        return self.verdict == verdicts.OK


def judge_simulation(report: SimulationReport, gates: Gates) -> str:
    """FG-12: passed, of low or medium risk, and enough of the history accepted."""
    if report.inconclusive:
        return "policy_sim_inconclusive"
    if not report.passed:
        return verdicts.SIMULATION_FAILED
    if report.risk is None:
        return verdicts.RISK_MISSING
    if report.risk == "high":
        return verdicts.RISK_HIGH
    if report.acceptance_ratio is None:
        return verdicts.RATIO_MISSING
    return verdicts.OK if report.acceptance_ratio >= gates.acceptance_ratio else verdicts.RATIO_LOW


def judge_evaluation(report: EvaluationReport, gates: Gates) -> str:
    """FG-07: passed, and surely not worse: the whole interval of the difference reaches the least that is asked for."""
    if report.inconclusive:
        return "eval_inconclusive"
    if not report.passed:
        return verdicts.EVALUATION_FAILED
    if report.delta is None or report.low is None or report.high is None or not report.samples:
        return verdicts.DELTA_MISSING
    if report.delta < gates.minimum_delta:
        return verdicts.DELTA_LOW
    # Better on the whole, but it may be chance: not refused for good, and not let through.
    return verdicts.OK if report.low >= gates.minimum_delta else "eval_inconclusive"


def bound_elsewhere(report: Bound, origin: str, name: str, state: GovernanceState) -> Verdict | None:
    """What the report speaks of, when that is not this policy as it stands now."""
    standing = state.policies[name]
    if report.ledger != origin:
        return "other_ledger"
    if report.policy != name:
        return "other_policy"
    if report.policy_hash != standing.policy_hash:
        return "other_hash"
    if report.policy_revision != standing.policy_revision:
        return "other_revision"
    if report.revision != state.revision:
        return "stale_active_revision"
    return "stale_catalogue" if report.catalogue != state.catalogue else None

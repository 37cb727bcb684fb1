"""Looks at what is handed in at a gate: whose signature, of which policy, on which history, and how fresh."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..errors import ControlPlaneError
from ..ledger.backend import Row
from ..ledger.ledger import Ledger
from ..ledger.sealing import Authority
from . import verdicts
from .artifacts import (
    Report,
    SimulationReport,
    Unacceptable,
    digest_of,
    opened,
)
from .document import Gates, from_canonical
from .freshness import FARTHEST, aged, overtaken
from .gates import Judged, bound_elsewhere, judge_evaluation, judge_simulation
from .state import GovernanceState, Standing

CHUNK = 4096
# An envelope, the digest of one that was recorded, or nothing: then the newest one that was recorded counts.
Offer = bytes | str | None
_ABSENT = {
    "simulation": (verdicts.NO_SIMULATION, verdicts.NO_SIMULATION_ARTIFACT),
    "evaluation": (verdicts.NO_EVALUATION, verdicts.NO_EVALUATION_ARTIFACT),
}


class Case(NamedTuple):
    """The policy at the gate, and the state and time at which it is judged."""

    policy: str
    standing: Standing
    state: GovernanceState
    now: float


class Gatekeeper:
    def __init__(self, ledger: Ledger, authority: Callable[[], Authority]) -> None:
        self._ledger, self._authority = ledger, authority

    def judge(self, kind: str, offer: Offer, case: Case) -> Judged:
        """The gate's one word about what was offered; it never raises because of what is in an envelope."""
        no_gate, no_artifact = _ABSENT[kind]
        recorded = case.standing.artifacts.get(kind, {})
        if offer is None:
            if not recorded:
                return Judged(kind, no_gate, f"no {kind} of this revision was ever handed in")
            offer = next(reversed(recorded))
        envelope = recorded.get(offer, "").encode() if isinstance(offer, str) else offer
        if not envelope:
            return Judged(kind, no_artifact, f"the ledger holds no such {kind} of this revision")
        return self._judged(kind, envelope, case)

    def _judged(self, kind: str, envelope: bytes, case: Case) -> Judged:
        digest = digest_of(envelope)
        gates = from_canonical(case.standing.document).gates
        try:
            report = self.opened(kind, envelope)
            self._check_bound(report, gates, case)
        except Unacceptable as fault:
            return Judged(kind, f"{verdicts.PREFIX[kind]}_{fault.verdict}", fault.words, digest, envelope)
        if isinstance(report, SimulationReport):
            verdict = judge_simulation(report, gates)
        else:
            verdict = judge_evaluation(report, gates)
        return Judged(kind, verdict, _words(report, gates), digest, envelope, report)

    def opened(self, kind: str, envelope: bytes) -> Report:
        return opened(envelope, kind, self._authority().keyring)

    def _check_bound(self, report: Report, gates: Gates, case: Case) -> None:
        origin = self._authority().origin
        wrong = bound_elsewhere(report, origin, case.policy, case.state) or aged(report, gates, case.now)
        if wrong is not None:
            raise Unacceptable(wrong, f"it was made for {report.policy}, {report.ledger_position:,} events ago or so")
        head = self._ledger.size()
        if report.ledger_position > head:
            raise Unacceptable("beyond_head", f"it speaks of {report.ledger_position:,} events, the log has {head:,}")
        if self._root_at(report.ledger_position) != report.ledger_root:
            raise Unacceptable("other_history", f"at position {report.ledger_position:,} the log had another root")
        if head - report.ledger_position > FARTHEST:
            raise Unacceptable("stale_history", f"{head - report.ledger_position:,} events have come since")
        rows = self._beyond(report.ledger_position)
        late = overtaken(rows, self._ledger.catalogue, case.policy, gates)
        if late is not None:
            raise Unacceptable(late, f"the log has gone on since position {report.ledger_position:,}")

    def _root_at(self, position: int) -> str:
        try:
            return self._ledger.root_at(position).hex()
        except ControlPlaneError as fault:
            raise Unacceptable("other_history", str(fault)) from None

    def _beyond(self, position: int) -> Iterator[Row]:
        while rows := self._ledger.rows(position, CHUNK):
            yield from rows
            position = rows[-1][0]


def _words(report: Report, gates: Gates) -> str:
    if isinstance(report, SimulationReport):
        ratio = "none" if report.acceptance_ratio is None else f"{report.acceptance_ratio:.4f}"
        return f"acceptance ratio {ratio} of at least {gates.acceptance_ratio:g}, risk {report.risk or 'unknown'}"
    shown = (report.delta, report.low, report.high)
    delta, low, high = ("none" if figure is None else f"{figure:+.4f}" for figure in shown)
    return f"delta {delta} ({low} to {high}) of at least {gates.minimum_delta:g}"

"""Bars of the gates: what is no valid, fresh artifact is refused for the right reason, and what is one passes."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from control_plane.governance import gatekeeping
from control_plane.governance.artifacts import Bound, SimulationReport
from control_plane.governance.gatekeeping import Case, Gatekeeper, Offer
from control_plane.governance.gates import Judged
from control_plane.proving.attempts import PREFIX
from control_plane.proving.facts import CHANGES
from control_plane.proving.gates import NAME, Site, site
from tests.bars.frame import Bar

KINDS = ("simulation", "evaluation")
Keeper = Callable[[Site], Gatekeeper]


class Gates:
    """A site, and whoever keeps its gates."""

    def __init__(self, keeper: Keeper) -> None:
        self._stack, self._keeper = ExitStack(), keeper

    def site(self) -> Site:
        """A new one each time."""
        self.close()
        return self._stack.enter_context(site())

    def word(self, at: Site, kind: str, offer: Offer) -> str:
        state = at.plane.policies._book.state()
        case = Case(NAME, state.policies[NAME], state, at.clock.now())
        return self._keeper(at).judge(kind, offer, case).verdict

    def close(self) -> None:
        self._stack.close()


def check_what_is_no_artifact_is_refused_for_its_reason(gates: Gates) -> None:
    """Every form of falsification, and valid ones between them."""
    at = gates.site()
    for kind in KINDS:
        attempts = at.attempts(kind)
        for _ in attempts.forms:
            attempt = attempts.bad()
            assert gates.word(at, kind, attempt.offer) == attempt.verdict, attempt.form
            assert gates.word(at, kind, attempts.good()) == "ok"


def check_a_change_of_any_bound_fact_is_noticed(gates: Gates) -> None:
    """One fact at a time; the same artifact passed the moment before."""
    for fact, change in CHANGES.items():
        at = gates.site()
        artifact = at.attempts("simulation").good()
        assert gates.word(at, "simulation", artifact) == "ok"
        change.make(at)
        assert gates.word(at, "simulation", artifact) == f"{PREFIX['simulation']}_{change.verdict}", fact


class Open(Gatekeeper):
    def judge(self, kind: str, offer: Offer, case: Case) -> Judged:
        return Judged(kind, "ok")


class WithoutReasons(Gatekeeper):
    """Knows good from bad, and says one thing of everything bad."""

    def judge(self, kind: str, offer: Offer, case: Case) -> Judged:
        judged = super().judge(kind, offer, case)
        return judged if judged.ok else judged._replace(verdict=f"{PREFIX[kind]}_malformed")


class BelievesFigures(Gatekeeper):
    """Asks who signed and what it is about, and never what it says."""

    def judge(self, kind: str, offer: Offer, case: Case) -> Judged:
        judged = super().judge(kind, offer, case)
        return judged if judged.report is None else judged._replace(verdict="ok")


class AsksTheReport(Gatekeeper):
    """Believes a report of its own freshness: the log is not looked at."""

    def _check_bound(self, report: Bound, gates: object, case: Case) -> None:
        wrong = gatekeeping.bound_elsewhere(report, self._authority().origin, case.policy, case.state)
        if wrong is not None:
            raise gatekeeping.Unacceptable(wrong, "")


class KeepsKeys(Gatekeeper):
    """Remembers every artifact that it once let in, whatever came of its key."""

    def opened(self, kind: str, envelope: bytes) -> SimulationReport:
        keyring = self._authority().keyring
        every = keyring.after(0, object())  # type: ignore[arg-type] - a copy, for no event changes it
        every._terms = {key: term._replace(until=None) for key, term in keyring._terms.items()}
        return gatekeeping.opened(envelope, kind, every)


def kept_by(kind: type[Gatekeeper]) -> Callable[[Path], Gates]:
    return lambda _: Gates(lambda at: kind(at.plane.ledger, at.plane._opened.authority))


BARS = [
    Bar(
        check_what_is_no_artifact_is_refused_for_its_reason,
        real=kept_by(Gatekeeper),
        null=kept_by(Open),
        planted={"gives no reason": kept_by(WithoutReasons), "believes any figures": kept_by(BelievesFigures)},
    ),
    Bar(
        check_a_change_of_any_bound_fact_is_noticed,
        real=kept_by(Gatekeeper),
        null=kept_by(Open),
        planted={"never looks at the log": kept_by(AsksTheReport), "never forgets a key": kept_by(KeepsKeys)},
    ),
]

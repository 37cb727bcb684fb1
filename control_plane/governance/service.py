"""The way in: policies are proposed, advanced through their gates, and rolled back."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..ledger.events import Event
from . import rules
from .artifacts import (
    Bound,
    EvaluationReport,
    Report,
    Unacceptable,
    digest_of,
    kind_of,
    sealed,
)
from .book import Book, brake
from .document import PolicyDocument, from_canonical, read_policy
from .evaluation import evaluate
from .events import ArtifactRecorded, PolicyPaused, PolicyRefused
from .gatekeeping import Case, Gatekeeper, Offer
from .gates import Judged
from .rules import By, Retrieval, StepRefused
from .state import GovernanceState, Standing
from .verdicts import PREFIX


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One policy as it stands."""

    policy: str
    policy_revision: int
    policy_hash: str
    stage: str
    share: float | None
    paused: bool
    in_force: bool
    simulation: str
    evaluation: str
    changed_at: float
    changed_by: str


class Policies:
    """`retrieval` says what is wrong with how memory is found, or nothing where promotion need not look at it."""

    def __init__(
        self,
        book: Book,
        check_router: Callable[[dict[str, Any]], None],
        retrieval: Callable[[], Retrieval | None] = lambda: None,
    ) -> None:
        self._book, self._check_router, self._retrieval = book, check_router, retrieval
        self._gatekeeper = Gatekeeper(book.ledger, book.authority)

    def list(self) -> tuple[Shown, ...]:
        """Every policy and where it stands."""
        state = self._book.state()
        return tuple(self._shown(state, name) for name in sorted(state.policies))

    def show(self, name: str) -> Shown:
        """Where one policy stands."""
        state = self._book.state()
        rules.standing_of(state, name)
        return self._shown(state, name)

    def document(self, name: str) -> PolicyDocument:
        """What a policy says, in its newest revision."""
        return from_canonical(rules.standing_of(self._book.state(), name).document)

    def ratios(self) -> dict[str, Any]:
        """How many steps were taken and how many refused, and why."""
        state = self._book.state()
        return {"accepted": state.accepted, "rejected": sum(state.refusals.values()), "reasons": state.refusals}

    def propose(self, text: str | bytes, *, actor: str, reason: str) -> Shown:
        """A new revision out of a TOML file."""
        document = read_policy(text)
        self._check_router(document.router)
        by = By(actor, reason, self._book.now()).checked()
        self._book.write(lambda state: rules.propose(state, document, by))
        return self.show(document.name)

    def advance(
        self,
        name: str,
        *,
        actor: str,
        reason: str,
        to: str | None = None,
        share: float | None = None,
        simulation: Offer = None,
        evaluation: Offer = None,
    ) -> Shown:
        """One stage on, when the gates before it open; a refusal is recorded, and raised with its one word."""
        by = By(actor, reason, self._book.now()).checked()
        offers = {"simulation": simulation, "evaluation": evaluation}
        # Which step is meant is settled once: who comes second does not take the next one unasked.
        meant = to or self._next(name, share, by)
        retrieval = self._retrieval()

        def decide(state: GovernanceState) -> Sequence[Event]:
            step = rules.next_step(state, name, meant, share, brake(self._book.flags(state)))
            rules.check_retrieval(step, retrieval)
            judged, waived = self._judge(state, step, offers, by.at)
            return rules.advance(step, judged, waived, by)

        try:
            written = self._book.write(decide)
        except rules.StepPaused:
            raise
        except StepRefused as fault:
            self._refused(name, meant, fault, by)
            raise
        _check_paused(written)
        return self.show(name)

    def rollback(self, name: str, *, actor: str, reason: str) -> Shown:
        """One stage back; no gate stands in this direction."""
        by = By(actor, reason, self._book.now()).checked()
        stood = rules.standing_of(self._book.state(), name).stage
        self._book.write(lambda state: rules.roll_back(state, name, by, stood))
        return self.show(name)

    def bound(self, name: str) -> Bound:
        """What a report that is made now has to be bound to."""
        self._book.ledger.flush()
        state = self._book.state()
        return self.bound_at(name, self._book.ledger.size(), state)

    def bound_at(self, name: str, position: int, state: GovernanceState | None = None) -> Bound:
        """The same for history up to a position that was looked at already."""
        state = state or self._book.state()
        standing = rules.standing_of(state, name)
        return Bound(
            ledger=self._book.authority().origin,
            policy=name,
            policy_hash=standing.policy_hash,
            policy_revision=standing.policy_revision,
            revision=state.revision,
            catalogue=state.catalogue,
            ledger_position=position,
            ledger_root=self._book.ledger.root_at(position).hex(),
            at=self._book.now(),
        )

    def sealed(self, report: Report) -> bytes:
        """The report under this host's key."""
        return sealed(report, self._book.authority().signer)

    def evaluate(
        self, name: str, candidate: Sequence[float], baseline: Sequence[float]
    ) -> tuple[EvaluationReport, bytes]:
        """How much better the candidate scored, bound to what there is now, and that under this host's key."""
        report = evaluate(self.bound(name), candidate, baseline, self.document(name).gates)
        return report, self.sealed(report)

    def record(self, envelope: bytes) -> str:
        """Keep an artifact, under its digest, for the steps to come; what is no artifact is refused with its reason."""
        try:
            kind = kind_of(envelope, self._book.authority().keyring)
            report = self._gatekeeper.opened(kind, envelope)
        except Unacceptable as fault:
            raise StepRefused(fault.verdict, "this is no artifact", why=fault.words) from None

        def decide(state: GovernanceState) -> Sequence[Event]:
            standing = rules.standing_of(state, report.policy)
            if (report.policy_hash, report.policy_revision) != (standing.policy_hash, standing.policy_revision):
                word = f"{PREFIX[kind]}_other_hash"
                raise StepRefused(word, f"{report.policy} has changed since", cure="make the artifact anew")
            digest, now = digest_of(envelope), self._book.now()
            text = envelope.decode()
            return [ArtifactRecorded(at=now, policy=report.policy, kind=kind, digest=digest, envelope=text)]

        self._book.write(decide)
        return digest_of(envelope)

    def opened(self, kind: str, envelope: bytes) -> Report:
        """What an artifact says, once its signature is seen to hold."""
        try:
            return self._gatekeeper.opened(kind, envelope)
        except Unacceptable as fault:
            raise StepRefused(f"{PREFIX[kind]}_{fault.verdict}", "this is no artifact", why=fault.words) from None

    def judge(self, name: str, *, simulation: Offer = None, evaluation: Offer = None) -> dict[str, Judged]:
        """What both gates would say now; nothing is written."""
        state = self._book.state()
        case = Case(name, rules.standing_of(state, name), state, self._book.now())
        offers = {"simulation": simulation, "evaluation": evaluation}
        return {kind: self._gatekeeper.judge(kind, offer, case) for kind, offer in offers.items()}

    def simulated(self, name: str, state: GovernanceState, offer: Offer) -> Judged:
        """What the simulation gate says of a policy on which something else shall stand."""
        case = Case(name, rules.standing_of(state, name), state, self._book.now())
        return self._gatekeeper.judge("simulation", offer, case)

    def in_force(self, draw: float = 1.0) -> PolicyDocument | None:
        """The policy that decides, for a draw from 0 to 1; None while the brake holds or nothing is enforced."""
        state = self._book.state()
        name = rules.in_force(state, brake(self._book.flags(state)), draw)
        return from_canonical(state.policies[name].document) if name is not None else None

    def _next(self, name: str, share: float | None, by: By) -> str:
        state = self._book.state()
        try:
            return rules.next_step(state, name, None, share, brake(self._book.flags(state))).after
        except StepRefused as fault:
            self._refused(name, "", fault, by)
            raise

    def _judge(
        self, state: GovernanceState, step: rules.Step, offers: dict[str, Offer], now: float
    ) -> tuple[tuple[Judged, ...], tuple[str, ...]]:
        flags = self._book.flags(state)
        closed = {"simulation": flags.sim_gate, "evaluation": flags.eval_gate}
        asked = rules.GATES[step.after]
        case = Case(step.policy, step.standing, state, now)
        judged = tuple(self._gatekeeper.judge(kind, offers[kind], case) for kind in asked if closed[kind])
        return judged, tuple(kind for kind in asked if not closed[kind])

    def _refused(self, name: str, to: str, fault: StepRefused, by: By) -> None:
        standing = self._book.state().policies[name]
        self._book.note(
            PolicyRefused(
                at=by.at, policy=name, policy_hash=standing.policy_hash, to=to, verdict=fault.verdict, actor=by.actor
            )
        )

    def _shown(self, state: GovernanceState, name: str) -> Shown:
        standing: Standing = state.policies[name]
        held = brake(self._book.flags(state))
        return Shown(
            policy=name,
            policy_revision=standing.policy_revision,
            policy_hash=standing.policy_hash,
            stage=standing.stage,
            share=standing.share,
            paused=standing.paused is not None,
            in_force=rules.in_force(state, held, 1.0) == name,
            simulation=standing.simulation,
            evaluation=standing.evaluation,
            changed_at=standing.changed_at,
            changed_by=standing.changed_by,
        )


def _check_paused(written: Sequence[Event]) -> None:
    for event in written:
        if isinstance(event, PolicyPaused):
            raise rules.paused(event.policy, event.stage, event.verdict)

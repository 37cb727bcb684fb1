"""A policy tried on the real history: what it would have chosen on each recorded decision, and what of that.

Each decision is decided twice: as it was, from the log alone, and once more under the policy, from the same past. Only
what repeats exactly, with the chance on record, is evidence. The history itself stays as it was: sessions hold the arm
that they held, and later decisions have seen the results of the arms that were really taken.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from math import sqrt
from typing import NamedTuple

from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event
from .choice import mix_bits
from .entries import Entry
from .events import AdviceGiven, CatalogueDeclared, ResultRecorded, plausible
from .lessons import NOBODY, Teacher
from .outcomes import Outcome, truth_of
from .prospects import Prospect, prospect_of
from .replay import BITS, FAULTS, MOST, Drawn, Head, Point, Replay, again, point_of, recompile
from .sim_report import (
    FIDELITIES,
    SAMPLES,
    Provenance,
    Rejection,
    Simulation,
    SimulationRequest,
    estimates_of,
    fidelity_of,
    latency_of,
    overlap_of,
    risk_of,
)
from .sim_totals import Given, Judged, Totals, slots_of, unfit, whole_run
from .situation import Boards
from .strategies import STRATEGIES, Strategy
from .terms import Policy
from .twin import Twin

# Decisions that wait for results, before the older half is counted as it stands.
WAITING = 65_536
# No weight above this, or the root of the number of decisions: beyond it one decision would speak for too many.
LEAST_CLIP = 20.0


class Signed(NamedTuple):
    """How much of the log a checkpoint covers, and whether its signature holds."""

    upto: int
    valid: bool


class Told(NamedTuple):
    """One decision as the policy would have made it with the same bits."""

    position: int
    decision: str
    arm: str
    path_hash: str
    chances: dict[str, float]


class Simulator(Replay):
    """A replay that at each point also asks another policy; None asks the recorded one again."""

    def __init__(
        self,
        log: Callable[[], Iterator[Sequence[Row]]],
        catalogue: Catalogue,
        policy: Policy | None,
        request: SimulationRequest,
        signed: Signed,
        since: int = 1,
        until: int | None = None,
        strategies: Sequence[Strategy] = STRATEGIES,
        teacher: Teacher = NOBODY,
        told: Callable[[Told], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(log, catalogue, since, until, strategies, teacher)
        self._policy, self._request, self._signed, self._told = policy, request, signed, told
        self._progress = progress
        self._twin: Twin | None = None
        self._policy_boards = Boards()
        self._asked = None if request.events is None else set(request.events)
        self._salt = int.from_bytes(sha256(request.replay_seed.encode()).digest()[:8]) if request.replay_seed else None
        self._totals = Totals(policy)
        self._rejections: dict[str, Rejection] = {}
        self._waiting: dict[str, Given] = {}
        self._waited: dict[str, Given] = {}
        self._steps: dict[str, dict[int, Outcome]] = {}
        self._total = self._rejected = self._same = self._head_position = 0
        self._clip = LEAST_CLIP
        strict = request.signing_mode.startswith("require")
        self._covered = signed.upto if strict else MOST
        self._unsound = request.signing_mode == "require-valid-signature" and not signed.valid
        self._trace = request.trace_ids_required
        self._stern = self._unsound or self._trace

    def simulate(self) -> Simulation:
        self._walk()
        self._settle(self._waited)
        self._settle(self._waiting)
        return self._report()

    def _collect(self) -> None:
        super()._collect()
        self._clip = max(LEAST_CLIP, sqrt(len(self._drawn)))

    def _read(self, stored: bytes) -> Judged:
        event = self._decode(AdviceGiven.TOPIC, stored)
        assert isinstance(event, AdviceGiven)
        return Judged(
            point_of(event), event.arm, event.path_hash, event.propensity, event.probed, event.captured, event
        )

    def _compiled(self, point: Point, every: list[Drawn], recorded: Entry) -> None:
        super()._compiled(point, every, recorded)
        entry, prospects = self._under_policy(point, recorded), dict[bool, Prospect]()
        # One arm that does not repeat speaks against its whole point: to leave out that arm alone would be to choose.
        judged = [drawn for drawn in every if isinstance(drawn, Judged)]
        refusal = next(filter(None, [unfit(drawn, recorded) for drawn in judged]), "")
        for drawn in judged:
            if refusal or entry is None:
                drawn.refusal = refusal or "policy_failed"
                continue
            prospect = prospects.get(drawn.probed)
            if prospect is None:
                prospect = prospects[drawn.probed] = prospect_of(entry, recorded, drawn.probed, self._clip)
            drawn.refusal = "policy_failed" if prospect.failed else ""
            drawn.prospect, drawn.chosen = prospect, entry
            drawn.steps = len(recorded.situation.arms.by_name[drawn.arm].steps)
            drawn.weight = min(prospect.chances.get(drawn.arm, 0.0) / drawn.propensity, self._clip)
            drawn.same_first, drawn.same_end = slots_of(entry, drawn)

    def _under_policy(self, point: Point, recorded: Entry) -> Entry | None:
        arms, policy = self._declared[point.declared]
        if self._policy is None or self._policy == policy:
            return recorded
        state, boards = self._state if self._twin is None else self._twin.state, self._policy_boards
        if point.ahead:
            state, boards = self._look_ahead(point).beside(state), self._ahead_boards
        try:
            return recompile(state, point, arms, self._policy, boards, self._strategies, self._teacher)
        except FAULTS:
            return None

    def _compare(self, position: int, head: Head, drawn: Drawn) -> bool:
        assert isinstance(drawn, Judged)
        if self._asked is not None and not self._wanted(head, drawn):
            return False
        self._total += 1
        repeated = super()._compare(position, head, drawn)
        trace = head.session is not None
        if not repeated or drawn.refusal or position > self._covered or self._stern:
            refusal = self._refusal(position, drawn, repeated, trace)
            if refusal:
                self._reject(refusal, head.decision)
                return repeated
        self._waiting[head.decision] = Given(drawn, trace, drawn.told.tokens_in is not None)
        bits = head.seed if self._salt is None else mix_bits(self._salt, position)
        if drawn.same_first <= bits & BITS < drawn.same_end:
            self._same += 1
        if self._told is not None:
            self._tell(position, head.decision, drawn, bits)
        if len(self._waiting) > WAITING:
            self._settle(self._waited)
            self._waited, self._waiting = self._waiting, {}
        if not drawn.left:
            drawn.chosen = None
        return repeated

    def _wanted(self, head: Head, drawn: Judged) -> bool:
        """Each decision that was named, once."""
        if self._asked is None or head.decision not in self._asked:
            drawn.left -= 1
            return False
        self._asked.discard(head.decision)
        return True

    def _tell(self, position: int, decision: str, drawn: Judged, bits: int) -> None:
        assert self._told is not None
        assert drawn.chosen is not None
        assert drawn.prospect is not None
        one = again(drawn.chosen, bits, drawn.probed)
        self._told(Told(position, decision, one.arm.name, one.path_hash, drawn.prospect.chances))

    def _refusal(self, position: int, drawn: Judged, repeated: bool, trace: bool) -> str:
        if position > self._covered:
            return "unsigned_event"
        if self._unsound:
            return "invalid_signature"
        if self._trace and not trace:
            return "missing_trace_id"
        if not drawn.captured:
            return "inputs_not_captured"
        if drawn.point.declared not in self._declared:
            return "catalogue_unknown"
        return drawn.refusal or ("" if repeated else "not_repeated")

    def _reject(self, reason: str, decision: str) -> None:
        self._rejected += 1
        rejection = self._rejections.setdefault(reason, Rejection())
        rejection.count += 1
        if len(rejection.samples) < SAMPLES:
            rejection.samples.append(decision)

    def _follow_advice(self, head: Head, drawn: Drawn) -> None:
        super()._follow_advice(head, drawn)
        if drawn.probed and self._twin is not None:
            self._twin.probe(drawn.arm, head.decision, head.at)

    def _follow(self, topic: str, event: Event) -> None:
        state, twin = self._state, self._twin
        if isinstance(event, CatalogueDeclared):
            if twin is None and self._policy is not None and _judged_otherwise(self._policy, event.policy):
                twin = self._twin = Twin(state, self._policy)
            super()._follow(topic, event)
            if twin is not None:
                twin.declare(event)
            return
        super()._follow(topic, event)
        if twin is not None and isinstance(event, AdviceGiven) and event.probed:
            twin.probe(event.arm, event.decision, event.at)

    def _follow_result(self, event: Event) -> None:
        assert isinstance(event, ResultRecorded)
        event = plausible(event)
        if self._twin is None:
            super()._follow_result(event)
        else:
            self._follow_twice(event, self._twin)
        decision = event.decision
        if decision is not None:
            given = self._waiting.get(decision) or self._waited.get(decision)
            if given is not None:
                self._learn(given, event)

    def _follow_twice(self, event: ResultRecorded, twin: Twin) -> None:
        """Breakers and tails hear each call once: a repeat or a correction is none."""
        known = self._state.repeats + self._state.corrections
        super()._follow_result(event)
        if known == self._state.repeats + self._state.corrections:
            twin.hear(event, truth_of(event.success, event.error))

    def _learn(self, given: Given, event: ResultRecorded) -> None:
        """What is known of a decision so far; a correction replaces what was said before."""
        error = event.error
        if event.tokens_in is not None or event.tokens_out is not None:
            given.tokens = True
        if given.drawn.steps:
            self._learn_step(given, event)
            return
        given.success = event.success if error is None else truth_of(event.success, error)
        given.cost = event.cost_usd
        given.milliseconds = None if error == "caller" else event.latency_ms

    def _learn_step(self, given: Given, event: ResultRecorded) -> None:
        assert event.decision is not None
        steps = self._steps.setdefault(event.decision, {})
        steps[event.step] = Outcome(
            event.success, event.cost_usd, event.latency_ms, event.ttft_ms, event.error, event.verified
        )
        given.success, given.cost, given.milliseconds = whole_run(steps, given.drawn.steps)

    def _settle(self, every: dict[str, Given]) -> None:
        """Count what came of these; what comes later is too late."""
        least = FIDELITIES.index(self._request.minimum_fidelity)
        if least:
            poor = [decision for decision, given in every.items() if given.tokens + given.trace < least]
            for decision in poor:
                self._reject("fidelity_below_minimum", decision)
                del every[decision]
        self._totals.add(every.values())
        for decision in self._steps.keys() & every.keys():
            del self._steps[decision]

    def _passed(self, position: int) -> None:
        self._head_position = position
        if self._progress is not None:
            self._progress(self._total, self._total + len(self._drawn))

    def _report(self) -> Simulation:
        for decision in sorted(self._asked or ()):
            self._total += 1
            self._reject("unknown_event", decision)
        totals, request = self._totals, self._request
        latency, overlap, estimates = latency_of(totals, request), overlap_of(totals, self._clip), estimates_of(totals)
        until = min(self._until, self._head_position)
        return Simulation(
            policy_hash="" if self._policy is None else self._policy.hash,
            total=self._total,
            accepted=totals.accepted,
            rejected=self._rejected,
            acceptance_ratio=totals.accepted / self._total if self._total else None,
            rejections=dict(sorted(self._rejections.items())),
            provenance=Provenance(
                self._since, until, self._head_position, tuple(self._declared), request.signing_mode,
                self._signed.upto, request.replay_seed, self._parity.decisions, self._parity.matched,
            ),
            fidelity=fidelity_of(totals.accepted, totals.with_tokens, totals.with_trace, request.minimum_fidelity),
            latency=latency,
            outcomes_known=totals.with_result,
            corrections=self._state.corrections,
            same_arm=self._same,
            overlap=overlap,
            estimates=estimates,
            choices=totals.choices,
            choices_before=totals.choices_before,
            risk=risk_of(self._total, totals.accepted, overlap, estimates, latency),
        )  # fmt: skip


def _judged_otherwise(policy: Policy, recorded: Policy) -> bool:
    """Whether breakers or tails would have moved otherwise."""
    return (policy.tail, policy.breaker) != (recorded.tail, recorded.breaker)

"""Compiled choices: what a decision needs, worked out once for all tasks of one kind and kept until it is stale."""

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

import msgspec

from .board import variance
from .choice import serves
from .decision_id import pack_key
from .lessons import NOTHING
from .limits import costs
from .situation import Situation
from .strategies import Choice, Strategy, sensible
from .subject import Subject
from .terms import Arm, PlanStep
from .wording import NO_DETAILS, Details, tail_of

PROBE = "probe"


class Prepared(msgspec.Struct, frozen=True):
    """Everything that an advice says of one arm, ready to be handed out."""

    arm: Arm
    chance: float
    plan: tuple[PlanStep, ...]
    score: float
    confidence: float
    reasons: tuple[str, ...]
    packed: str
    path_hash: str
    strategy: str
    model: str
    head: str = ""
    tail: bytes = b""
    probed: bool = False
    subject: Subject = Subject("", "")


class Origin(NamedTuple):
    """Where a choice comes from: the position of the state, how far it looked ahead, the process, what it declared."""

    position: int
    process: str
    declared: str
    captured: bool = True
    ahead: int = 0


# Threads read the clock one before the other.
SLACK_S = 1.0


class Entry:
    """One compiled choice; only its arms' advices are filled in later, when they are first drawn."""

    __slots__ = (
        "begins", "bypassed", "choice", "compiled_at", "due", "edges", "epoch", "expires", "filtered", "origin",
        "pause", "position", "prepared", "probe", "risk", "seen", "situation", "strategy", "suggestions", "taught",
        "warnings",
    )  # fmt: skip

    def __init__(
        self, situation: Situation, strategy: str, choice: Choice, origin: Origin, bypassed: tuple[str, ...] = ()
    ) -> None:
        state = situation.state
        seen = state.seen.get(situation.request.task_type, 0)
        self.situation, self.strategy, self.choice = situation, strategy, choice
        self.edges, self.position, self.origin = choice.edges, origin.position, origin
        self.compiled_at, self.epoch = situation.now, state.epoch
        self.seen, self.due = seen, seen + serves(seen)
        # A clock that was set back finds advice from a time that has not come: it is as old as can be.
        self.begins, self.expires = situation.now - SLACK_S, situation.expires
        self.prepared: list[Prepared | None] = [None] * len(choice.arms)
        self.bypassed = bypassed
        # One decision finds out whether a cooled arm is well again; it is not drawn but sent.
        self.probe = None if situation.probe is None else self._worded(prepare_probe(situation, situation.probe))
        self.filtered = (*situation.unmet, *[f"{name}: {reason}" for name, reason in situation.filtered[:5]])
        lesson = situation.lesson
        self.warnings = (*self.filtered, *lesson.warnings)
        self.suggestions, self.risk = lesson.suggestions, lesson.risk_score
        # A limit that nobody meets is the caller's to lift.
        self.pause = lesson.should_pause or bool(situation.unmet)
        self.taught = lesson != NOTHING

    def prepare(self, at: int) -> Prepared:
        prepared = self.prepared[at] = self._worded(prepare(self.situation, self.strategy, self.choice, at))
        return prepared

    def tail(self, prepared: Prepared, told: Details = NO_DETAILS) -> bytes:
        return tail_of(
            self.situation.request,
            self.position,
            self.compiled_at,
            self.origin.declared,
            prepared.arm.name,
            prepared.strategy,
            prepared.chance,
            prepared.path_hash,
            prepared.probed,
            self.bypassed,
            told,
            captured=self.origin.captured,
            ahead=self.origin.ahead,
        )

    def _worded(self, prepared: Prepared) -> Prepared:
        head = f"{self.position:x}-{self.origin.process}-"
        request = self.situation.request
        subject = Subject(prepared.arm.name, request.task_type, request.repo)
        return msgspec.structs.replace(prepared, head=head, tail=self.tail(prepared), subject=subject)


def decide(
    situation: Situation, strategies: Sequence[Strategy], origin: Origin, care: "Care", bypassed: Sequence[str] = ()
) -> Entry:
    """The first strategy that applies and answers sensibly; whatever one of them does, somebody is chosen."""
    passed_over = list(bypassed)
    for strategy in strategies:
        if strategy.name in passed_over:
            continue
        try:
            choice = care.ask(strategy, situation)
            if choice is None or (isinstance(choice, Choice) and sensible(choice, situation)):
                care.answered(strategy.name)
                if choice is None:
                    continue
                return Entry(situation, strategy.name, choice, origin, tuple(passed_over))
            reason = f"answered nonsense: {choice!r:.100}"
        except Exception as fault:  # A strategy may be anybody's code, and so may what it answers.
            reason = f"raised {type(fault).__name__}: {words_of(fault):.100}"
        care.failed(strategy.name, reason)
        passed_over.append(strategy.name)
    first = (situation.allowed or situation.spared or situation.arms.all)[0]
    choice = Choice.only(first.name, "no strategy answered")
    return Entry(situation, "last-resort", choice, origin, tuple(passed_over))


def words_of(fault: Exception) -> str:
    """What an exception says, if it can say anything."""
    try:
        return str(fault)
    except Exception:
        return "it cannot say what"


class Care(Protocol):
    """Who asks the strategies, and keeps count of how they do."""

    def ask(self, strategy: Strategy, situation: Situation) -> object: ...
    def failed(self, strategy: str, reason: str) -> None: ...
    def answered(self, strategy: str) -> None: ...


def prepare(situation: Situation, strategy: str, choice: Choice, at: int) -> Prepared:
    arm = situation.arms.by_name[choice.arms[at]]
    chance = choice.chances[at]
    terms = score_terms(situation, arm.name)
    reasons = (*([choice.why] if choice.why else []), *(terms.sentences if terms else ()))
    names = [(step, verifier) for step, verifier in arm.steps] or [(arm.name, None)]
    plan = tuple(
        PlanStep(name, situation.arms.by_name[name].served_by if name != arm.name else arm.served_by, verifier)
        for name, verifier in names
    )
    # The path's words are for ever, or logs would not repeat; those for people are not.
    drawn = (f"drawn with a chance of {chance:.1%}",) if chance < 1.0 else ()
    path = [{"model": step.model, "reason": "; ".join((*reasons, *drawn)), "strategy": strategy} for step in plan]
    if terms is not None and terms.guessed:
        reasons = (*reasons, costs(terms.cost, guessed=True))
    if drawn:
        reasons = (*reasons, f"drawn with a chance of {percent(chance)}")
    return Prepared(
        arm,
        chance,
        plan,
        terms.total if terms else 0.0,
        terms.confidence if terms else 0.0,
        reasons,
        pack_key(arm.name, situation.request.task_type, situation.request.repo),
        sha256(msgspec.json.encode(path, order="sorted")).hexdigest(),
        strategy,
        plan[0].model or arm.served_by,
    )


def percent(chance: float) -> str:
    """What is not certain never reads as if it were."""
    if 0.9995 <= chance < 1.0:
        return "> 99.9%"
    return "< 0.1%" if 0.0 < chance < 0.0005 else f"{chance:.1%}"


def prepare_probe(situation: Situation, arm: str) -> Prepared:
    choice = Choice.only(arm, "its cooldown is over; one call finds out whether it is well again")
    return msgspec.structs.replace(prepare(situation, PROBE, choice, 0), probed=True)


class Terms(NamedTuple):
    """The score of one arm in dollars, term by term."""

    success: float
    error: float
    runs: float
    value: float
    cost: float
    time: float
    adjustment: float
    total: float
    sentences: tuple[str, ...]
    guessed: bool

    @property
    def confidence(self) -> float:
        return max(0.0, 1.0 - 2.0 * self.error)


def score_terms(situation: Situation, name: str) -> Terms | None:
    names, policy = situation.board.names, situation.policy
    if name not in names:
        return None
    at = names.index(name)
    belief, parts = situation.beliefs[at], situation.adjustments[at]
    value = policy.success_value_usd * belief.success
    error = math.sqrt(variance(belief))
    seconds = policy.time_value_usd_per_s * belief.time
    sentences = [f"success {belief.success:.2f} ± {error:.2f} worth ${value:.2f}"]
    if belief.cost:
        sentences.append(f"cost ${belief.cost:.4f}")
    if seconds:
        sentences.append(f"time {belief.time:.1f} s worth ${seconds:.4f}")
    if parts.tail:
        sentences.append(f"slow tail worth ${-parts.tail:.2f}")
    if parts.lessons:
        sentences.append(f"learned against it worth ${-parts.lessons:.2f}")
    if parts.cooled:
        sentences.append(f"calls unanswered of late worth ${-parts.cooled:.2f}")
    if parts.strengths:
        sentences.append(f"fitting strengths worth ${parts.strengths:.2f}")
    adjusted = sum(parts)
    total = value - belief.cost - seconds + adjusted
    guessed = situation.board.guessed(name)
    return Terms(
        belief.success, error, belief.runs, value, belief.cost, seconds, adjusted, total, tuple(sentences), guessed
    )  # fmt: skip

"""What can happen to the router. Features, hashes and sizes of a task, never its text."""

from typing import Any, ClassVar

import msgspec

from ..ledger.events import Event
from .terms import MOST_MS, MOST_TOKENS, MOST_USD, Arm, Policy


class CatalogueDeclared(Event, frozen=True, kw_only=True, tag=2):
    """Arms, policy and surroundings of a process that decides; decisions name them by hash."""

    TOPIC: ClassVar[str] = "router.catalogue-declared"
    arms: tuple[Arm, ...]
    policy: Policy
    policy_hash: str
    environment: dict[str, str]
    declared: str

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Then a cost counted in full, however far off it was, and without a price both were 0."""
        state["policy"]["cost_leap"] = None
        for arm in state["arms"]:
            if not arm.get("price_in") and not arm.get("price_out"):
                arm["price_in"] = arm["price_out"] = None


class AdviceGiven(Event, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One decision with every input that it used: `position` and `compiled_at` say which state decided.

    `ahead`: so many results of the same process and task type, the first behind `position`, it had seen as well.
    """

    TOPIC: ClassVar[str] = "router.advice-given"
    decision: str
    seed: int
    position: int
    compiled_at: float
    declared: str
    task_type: str
    arm: str
    strategy: str
    propensity: float
    path_hash: str
    repo: str | None = None
    session: str | None = None
    incumbent: str | None = None
    stuck: bool = False
    probed: bool = False
    bypassed: tuple[str, ...] = ()
    attempt: int = 1
    complexity: str | float | None = None
    error_type: str | None = None
    tool: str | None = None
    tokens_in: int | None = None
    files: int = 0
    description_bytes: int = 0
    required_tools: tuple[str, ...] = ()
    strengths: tuple[str, ...] = ()
    budget_usd: float | None = None
    deadline_ms: float | None = None
    candidates: tuple[str, ...] | None = None
    override: str | None = None
    in_tool_loop: bool = False
    captured: bool = True
    ahead: int = 0


class ResultRecorded(Event, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What came of a decision, or of an arm that was used without one."""

    TOPIC: ClassVar[str] = "router.result-recorded"
    arm: str
    task_type: str
    process: str = ""
    decision: str | None = None
    repo: str | None = None
    step: int = 0
    success: bool | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    error: str | None = None
    verified: bool | None = None
    retry_after_s: float | None = None
    model_served: str | None = None


def plausible(event: ResultRecorded) -> ResultRecorded:
    """Without figures that nobody can have: they were stored before anybody refused them, and say nothing."""
    # None is below 0, and dollars have the least bound: most events end here, at the price of one comparison.
    if (event.cost_usd or 0.0) + (event.latency_ms or 0.0) + (event.ttft_ms or 0.0) + (event.tokens_in or 0.0) + (
        event.tokens_out or 0.0
    ) <= MOST_USD:
        return event
    too_much = [name for name, most in _MOST.items() if (getattr(event, name) or 0.0) > most]
    return msgspec.structs.replace(event, **dict.fromkeys(too_much)) if too_much else event


_MOST = {
    "cost_usd": MOST_USD, "latency_ms": MOST_MS, "ttft_ms": MOST_MS, "tokens_in": MOST_TOKENS,
    "tokens_out": MOST_TOKENS,
}  # fmt: skip


class BreakerMoved(Event, frozen=True, kw_only=True):
    """A breaker opened, let a probe through, or closed; the state follows from results, this says so aloud."""

    TOPIC: ClassVar[str] = "router.breaker-moved"
    process: str
    subject: str
    before: str
    after: str
    reason: str
    until: float | None = None


class StrategyFailed(Event, frozen=True, kw_only=True):
    """A strategy raised, hung or answered nonsense; while `bypassed_until` lasts it is not asked."""

    TOPIC: ClassVar[str] = "router.strategy-failed"
    strategy: str
    reason: str
    bypassed_until: float | None = None


class StrategyRecovered(Event, frozen=True, kw_only=True):
    """A strategy that was bypassed answered again."""

    TOPIC: ClassVar[str] = "router.strategy-recovered"
    strategy: str


class ParityMeasured(Event, frozen=True, kw_only=True):
    """How many recorded decisions came out the same when they were decided again from the log alone."""

    TOPIC: ClassVar[str] = "router.parity-measured"
    decisions: int
    matched: int

    @property
    def parity(self) -> float:
        return self.matched / self.decisions if self.decisions else 1.0


EVENTS: tuple[type[Event], ...] = (
    CatalogueDeclared,
    AdviceGiven,
    ResultRecorded,
    BreakerMoved,
    StrategyFailed,
    StrategyRecovered,
    ParityMeasured,
)

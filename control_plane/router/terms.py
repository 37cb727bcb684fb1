"""The words that callers and router share: arms, tasks, policies, advice."""

import math
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ..errors import BadInput
from .board import ChoicePolicy
from .breakers import BreakerPolicy
from .ejection import provider_of
from .health import HealthPolicy
from .tails import TailPolicy

ERRORS = frozenset(("timeout", "rate_limit", "connection", "server", "caller", "cancelled"))
# Whatever went wrong with these, it was not the arm's doing.
NOT_THE_ARM = frozenset(("caller", "cancelled"))


# More than anybody pays, waits for or sends at once: what lies beyond is a mistake, or was meant to outweigh all else.
MOST_USD, MOST_MS, MOST_TOKENS = 1e6, 1e9, 1e12
MOST_PRICE, MOST_OF_A_POLICY = 1e9, 1e12


class UnknownArm(BadInput):
    """The catalogue has no arm of that name."""

    code = "router.unknown-arm"


class EmptyCatalogue(BadInput):
    """There is no arm to choose from."""

    code = "router.empty-catalogue"


class Arm(msgspec.Struct, frozen=True):
    """One way to get a task done: a model, an agent, or a cascade.

    Prices are dollars a million tokens: 0.0 is for nothing, None is not known and will be guessed.
    """

    name: str
    model: str | None = None
    agent: str | None = None
    price_in: float | None = None
    price_out: float | None = None
    prior: float = 0.5
    context: int | None = None
    strengths: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    fallback: str | None = None
    steps: tuple[tuple[str, str | None], ...] = ()

    def __post_init__(self) -> None:
        check_text("an arm's name", self.name)
        check_text(f"the model of {self.name}", self.model)
        check_number(f"price_in of {self.name}", self.price_in, most=MOST_PRICE)
        check_number(f"price_out of {self.name}", self.price_out, most=MOST_PRICE)
        check_number(f"prior of {self.name}", self.prior, most=1.0, cure="give the share of tasks that it gets right")

    @classmethod
    def cascade(cls, name: str, steps: Iterable[tuple[str, str | None]], **traits: Any) -> "Arm":
        """Try the first arm, let its verifier judge, go on to the next where it refuses."""
        return cls(name, steps=tuple((arm, verifier) for arm, verifier in steps), **traits)

    @property
    def served_by(self) -> str:
        """The model that answers, or the arm's own name."""
        return self.model or self.name

    @property
    def provider(self) -> str | None:
        """Whose model that is."""
        return provider_of(self.served_by)


class Task(msgspec.Struct, frozen=True, gc=False):
    """What is to be done, as far as the caller says; features of it are recorded, its text never."""

    type: str
    repo: str | None = None
    session: str | None = None
    description: str | None = None
    complexity: str | float | None = None
    files: tuple[str, ...] = ()
    error_type: str | None = None
    attempt: int = 1
    tool: str | None = None
    tokens_in: int | None = None
    required_tools: tuple[str, ...] = ()
    strengths: tuple[str, ...] = ()
    budget_usd: float | None = None
    deadline_ms: float | None = None
    candidates: tuple[str, ...] | None = None
    override: str | None = None
    in_tool_loop: bool = False


class Policy(ChoicePolicy, frozen=True):
    """What a success is worth and how careful to be; its hash is part of every decision."""

    tail: TailPolicy = TailPolicy()
    breaker: BreakerPolicy = BreakerPolicy()
    health: HealthPolicy = HealthPolicy()
    strength_bonus: float = 0.05
    tail_slo: bool = True

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(ChoicePolicy):
            check_number(field.name, getattr(self, field.name), least=-MOST_OF_A_POLICY, most=MOST_OF_A_POLICY)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON; two policies that decide alike have one hash."""
        return sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class PlanStep(msgspec.Struct, frozen=True):
    arm: str
    model: str | None
    verifier: str | None = None


class Advice(msgspec.Struct, frozen=True, gc=False):
    """Which arm takes a task, how sure that is, and everything that led there."""

    decision_id: str
    arm: str
    model: str
    agent: str | None
    strategy: str
    plan: tuple[PlanStep, ...]
    score: float
    confidence: float
    propensity: float
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    suggestions: tuple[str, ...]
    risk_score: float
    should_pause: bool
    policy_hash: str
    ledger_position: int
    seed: int
    path_hash: str
    cached: bool


class Arms:
    """The catalogue: checked once, then only looked up."""

    def __init__(self, arms: Sequence[Arm]) -> None:
        if not arms:
            raise EmptyCatalogue("the catalogue has no arm", cure="list at least one arm in control-plane.toml")
        self.by_name = {arm.name: arm for arm in arms}
        if len(self.by_name) != len(arms):
            raise BadInput("two arms of the catalogue have the same name")
        for arm in arms:
            _check_arm(arm, self.by_name)
        self.all = tuple(arms)
        self.hash = sha256(msgspec.json.encode(self.all, order="sorted")).hexdigest()

    def get(self, name: str) -> Arm:
        arm = self.by_name.get(name)
        if arm is None:
            raise UnknownArm(f"there is no arm {name!r}", cure=f"known are {', '.join(sorted(self.by_name))[:200]}")
        return arm


def check_number(name: str, value: float | None, *, least: float = 0.0, most: float = math.inf, cure: str = "") -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most or value == math.inf:
        raise BadInput(f"{name} is {value!r:.40}", why=f"it must be a number from {least:g} to {most:g}", cure=cure)


def check_text(name: str, value: object, longest: int = 200) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value or len(value) > longest or not value.isprintable():
        raise BadInput(f"{name} is {value!r:.80}", why=f"it must be printable text of 1 to {longest} characters")


def _check_arm(arm: Arm, known: dict[str, Arm]) -> None:
    named = [step for step, _ in arm.steps] + ([arm.fallback] if arm.fallback else [])
    for name in named:
        if name not in known or name == arm.name:
            raise UnknownArm(f"{arm.name} leads to {name!r}, which is not another arm of the catalogue")
        if name in {step for step, _ in arm.steps} and known[name].steps:
            raise BadInput(f"{arm.name} is a cascade of a cascade")

"""The ways to choose, by priority; the first that applies and answers sensibly decides."""

import math
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import sub, truediv

import msgspec

from .board import variance
from .choice import SLOTS, lay_out
from .situation import NOTHING_TO_ADD, Situation


class Choice(msgspec.Struct, frozen=True):
    """Arms with their share of the line of slots; one arm alone has all of it."""

    arms: tuple[str, ...]
    edges: tuple[int, ...]
    chances: tuple[float, ...]
    why: str

    @classmethod
    def only(cls, arm: str, why: str) -> "Choice":
        return cls((arm,), (SLOTS,), (1.0,), why)


class Strategy(msgspec.Struct, frozen=True):
    name: str
    priority: int
    choose: Callable[[Situation], Choice | None]
    budget_ms: float = 5.0


def manual_override(situation: Situation) -> Choice | None:
    named = situation.request.override
    if named is None:
        return None
    return Choice.only(situation.arms.get(named).name, "named by the caller")


def project_start(situation: Situation) -> Choice | None:
    """In a repo where nothing was seen, but elsewhere much: start with what is surest, try others later."""
    request, beliefs = situation.request, situation.state.beliefs
    if request.repo is None or not situation.allowed or request.incumbent is not None:
        return None
    if beliefs.seen.get(request.task_type, 0) < 10 * len(situation.allowed):
        return None
    for book in beliefs.arms.values():
        kind = book.types.get(request.task_type)
        if kind is not None and request.repo in kind.repos:
            return None
    return _surest(situation, "nothing was seen in this repo yet; the surest elsewhere")


def perspective_switch(situation: Situation) -> Choice | None:
    """Who is stuck needs other eyes: the best arm on another model."""
    request = situation.request
    if not request.stuck or request.incumbent is None:
        return None
    stuck_on = situation.arms.get(request.incumbent).served_by
    others = [arm.name for arm in situation.allowed if arm.served_by != stuck_on]
    best = _best(situation, others)
    return None if best is None else Choice.only(best, f"{request.incumbent} is stuck in this session")


def learned(situation: Situation) -> Choice | None:
    if not situation.allowed:
        return None
    request = situation.request
    parts = situation.adjustments
    extra = () if parts.count(NOTHING_TO_ADD) == len(parts) else [sum(part) for part in parts]
    # The board was brought up to date with the situation.
    table = lay_out(situation.board, request.incumbent, request.in_tool_loop, extra)
    names = situation.board.names
    chosen = names if len(table.arms) == len(names) else tuple([names[i] for i in table.arms])
    return Choice(chosen, table.edges, table.chances, "")


def fallback_layer(situation: Situation) -> Choice | None:
    """Without learning: where an arm's own fallback leads, else the best prior for its price."""
    allowed = {arm.name for arm in situation.allowed}
    if not allowed:
        return None
    incumbent = situation.request.incumbent
    step = situation.arms.by_name[incumbent].fallback if incumbent in situation.arms.by_name else None
    if step in allowed:
        return Choice.only(step, f"the fallback of {incumbent}")
    arm = max(situation.allowed, key=lambda arm: (arm.prior, -(arm.price_in or 0.0) - (arm.price_out or 0.0)))
    return Choice.only(arm.name, "the best prior of the catalogue")


def last_resort(situation: Situation) -> Choice | None:
    """Everything is cooled: whoever is due back first is served rather than nobody."""
    arm = (situation.spared or situation.arms.all)[0]
    return Choice.only(arm.name, "every arm is cooled; this one is due back first")


STRATEGIES: tuple[Strategy, ...] = (
    Strategy("manual-override", 999, manual_override),
    Strategy("project-start", 100, project_start),
    Strategy("perspective-switch", 90, perspective_switch),
    Strategy("learned", 50, learned),
    Strategy("fallback-layer", 0, fallback_layer),
    Strategy("last-resort", -1, last_resort),
)


def sensible(choice: Choice, situation: Situation) -> bool:
    """Whether an answer can be followed at all: arms that the caller would take, and chances that are the true ones."""
    arms, edges = choice.arms, choice.edges
    widths = [*map(sub, edges, (0, *edges))]
    return (
        bool(arms)
        and len(arms) == len(edges) == len(choice.chances)
        and edges[-1] == SLOTS
        and {*map(type, widths)} == {int}
        and min(widths) > 0
        and [*map(truediv, widths, repeat(SLOTS))] == [*choice.chances]
        and (arms is situation.board.names or _acceptable(arms, situation))
        and isinstance(choice.why, str)
    )


def _acceptable(arms: tuple[str, ...], situation: Situation) -> bool:
    request, known = situation.request, situation.arms.by_name
    return (
        len({*arms}) == len(arms)
        and all(name in known for name in arms)
        and (request.candidates is None or request.override is not None or {*arms} <= {*request.candidates})
    )


def _surest(situation: Situation, why: str) -> Choice | None:
    """The highest lower bound: value less one standard error."""
    board, value = situation.board, situation.policy.success_value_usd
    bounds = [
        utility + sum(extra) - value * math.sqrt(variance(belief))
        for utility, extra, belief in zip(situation.utilities, situation.adjustments, situation.beliefs, strict=True)
    ]
    return Choice.only(board.names[bounds.index(max(bounds))], why)


def _best(situation: Situation, names: Sequence[str]) -> str | None:
    board = situation.board
    rated = {
        name: utility + sum(extra)
        for name, utility, extra in zip(board.names, situation.utilities, situation.adjustments, strict=True)
    }
    known = [name for name in names if name in rated]
    return max(known, key=lambda name: rated[name]) if known else None

"""Limits of a task: what an arm breaks, and what is said where every arm breaks one."""

from collections.abc import Sequence
from math import inf

from .board import Belief, Board
from .request import Request
from .terms import Arm


def beyond(board: Board, name: str, belief: Belief, request: Request) -> str:
    """Which limit an arm is expected to break; empty where it keeps them."""
    if request.budget_usd is not None and belief.cost > request.budget_usd:
        return f"{costs(belief.cost, guessed=board.guessed(name))}, over the budget of ${request.budget_usd:g}"
    if request.deadline_ms is not None and belief.time * 1000.0 > request.deadline_ms:
        return f"takes about {belief.time:.1f} s, over the deadline of {request.deadline_ms:g} ms"
    return ""


def costs(usd: float, *, guessed: bool) -> str:
    return f"price unknown, taken as ${usd:.3g}" if guessed else f"costs about ${usd:.3g}"


def nobody_affords(board: Board, allowed: Sequence[Arm], request: Request) -> str:
    """The nearest is the arm whose worst excess, as a share of its limit, is the least."""
    limits = [
        *([f"the budget of ${request.budget_usd:g}"] if request.budget_usd is not None else []),
        *([f"the deadline of {request.deadline_ms:g} ms"] if request.deadline_ms is not None else []),
    ]
    arm, belief = min(zip(allowed, board.beliefs, strict=False), key=lambda pair: _excess(pair[1], request))
    told = [
        *([costs(belief.cost, guessed=board.guessed(arm.name))] if request.budget_usd is not None else []),
        *([f"takes about {belief.time:.1f} s"] if request.deadline_ms is not None else []),
    ]
    return f"no arm fits {' and '.join(limits)}; the nearest is {arm.name}: {', '.join(told)}"


def _excess(belief: Belief, request: Request) -> tuple[float, float, float]:
    shares = [
        (spent / limit if limit else inf if spent else 0.0)
        for spent, limit in ((belief.cost, request.budget_usd), (belief.time * 1000.0, request.deadline_ms))
        if limit is not None
    ]
    return max(shares), belief.cost, belief.time


def nobody_fits(named: Sequence[Arm], request: Request) -> str:
    """Tools before room: who lacks a tool is not asked for room."""
    tools = set(request.required_tools)
    equipped = [arm for arm in named if tools <= set(arm.tools)]
    if not equipped:
        return f"no arm has {' and '.join(sorted(tools))}; every arm was allowed"
    largest = max(equipped, key=lambda arm: arm.context or 0)
    having = f" with {' and '.join(sorted(tools))}" if tools else ""
    return (
        f"no arm{having} has room for {request.size or 0:,} tokens; "
        f"the largest is {largest.name} with {largest.context or 0:,}, and every arm was allowed"
    )

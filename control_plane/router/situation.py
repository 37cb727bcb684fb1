"""What a choice is about: the request, the state it is made in, and which arms may be chosen at all."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from .board import Belief, Board, Candidate, ChoicePolicy
from .cascade import Step
from .ejection import cooled, ejected, last_resort, probes, unanswered
from .lessons import NOBODY, Lesson, Teacher
from .limits import beyond, nobody_affords, nobody_fits
from .recent import Recent
from .request import Request
from .running import elapsed_ms
from .state import RouterState
from .tails import Tail, penalty, reason
from .terms import Arm, Arms, Policy

# What a task of unknown size is taken to be, for prices by the token.
TYPICAL_IN, TYPICAL_OUT = 20_000, 2_000
# A choice is never kept longer than this, whatever happens or does not.
TTL = 10.0
# Calls that run for less than this are not looked at before they end.
SLOW_S = 2.0
# Catalogues with their policies whose boards are kept side by side.
CATALOGUES = 4


class Adjustment(NamedTuple):
    """Dollars that an arm is worth more or less for reasons of its own."""

    tail: float = 0.0
    lessons: float = 0.0
    strengths: float = 0.0
    cooled: float = 0.0


NOTHING_TO_ADD = Adjustment()


class Situation(msgspec.Struct, frozen=True):
    state: RouterState
    request: Request
    arms: Arms
    policy: Policy
    now: float
    allowed: tuple[Arm, ...]
    spared: tuple[Arm, ...]
    filtered: tuple[tuple[str, str], ...]
    unmet: tuple[str, ...]
    probe: str | None
    expires: float
    board: Board
    beliefs: tuple[Belief, ...]
    utilities: tuple[float, ...]
    adjustments: tuple[Adjustment, ...]
    lesson: Lesson


class Boards:
    """Boards that were used before: only the rows whose results changed are worked out again."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._catalogues: list[tuple[Arms, ChoicePolicy, Recent[tuple[object, ...], Board]]] = []
        self._names: tuple[tuple[Arm, ...], tuple[str, ...]] = ((), ())

    def board(self, allowed: tuple[Arm, ...], arms: Arms, policy: ChoicePolicy, request: Request) -> Board:
        kept, names = self._kept_for(arms, policy), self._named(allowed)
        key = (names, request.task_type, request.repo, request.size)
        board = kept.get(key)
        if board is None:
            board = self._made(kept, names, allowed, policy, request)
            kept.put(key, board)
        return board

    def _made(
        self,
        kept: Recent[tuple[object, ...], Board],
        names: tuple[str, ...],
        allowed: tuple[Arm, ...],
        policy: ChoicePolicy,
        request: Request,
    ) -> Board:
        anywhere = kept.get((names, request.size))
        if anywhere is None:
            anywhere = Board([_candidate(arm, request) for arm in allowed], policy)
            kept.put((names, request.size), anywhere)
        if request.repo is None:
            return anywhere.narrower(request.task_type)
        elsewhere = kept.get((names, request.task_type, request.size))
        if elsewhere is None:
            elsewhere = anywhere.narrower(request.task_type, elsewhere=True)
            kept.put((names, request.task_type, request.size), elsewhere)
        return elsewhere.narrower(request.task_type, request.repo)

    def _kept_for(self, arms: Arms, policy: ChoicePolicy) -> Recent[tuple[object, ...], Board]:
        """A name may stand for another arm in another catalogue."""
        for catalogue in self._catalogues:
            if catalogue[0] is arms and catalogue[1] is policy:
                return catalogue[2]
        kept = Recent[tuple[object, ...], Board](self._most)
        self._catalogues = [(arms, policy, kept), *self._catalogues[: CATALOGUES - 1]]
        return kept

    def _named(self, allowed: tuple[Arm, ...]) -> tuple[str, ...]:
        before, names = self._names
        if allowed is not before:
            names = tuple([arm.name for arm in allowed])
            self._names = (allowed, names)
        return names


def look(
    state: RouterState,
    request: Request,
    arms: Arms,
    policy: Policy,
    now: float,
    boards: Boards,
    teacher: Teacher = NOBODY,
) -> Situation:
    """Filter the catalogue, and put what remains on a board."""
    filtered: list[tuple[str, str]] = []
    unmet: list[str] = []
    allowed = _fitting(request, arms, filtered, unmet)
    probe: str | None = None
    spared: tuple[Arm, ...] = ()
    unheard: dict[str, float] = {}
    if state.held:
        allowed, probe, spared = _spare(state, allowed, arms, now, policy, filtered)
        if request.override is not None or request.in_tool_loop:
            probe = None
        providers = {arm.name: arm.provider for arm in arms.all if not arm.steps}
        unheard = unanswered(state.breakers, providers, now, policy.breaker)
    penalties = _penalties(state, now) if policy.tail_slo else {}
    if penalties and not _limits_fit(state):
        penalties = {}
    if penalties and request.in_tool_loop:
        allowed = _steady(state, allowed, penalties, request, now, filtered)
    board, allowed = _laid_out(state, allowed, spared, request, arms, policy, boards, filtered, unmet)
    chosen = allowed or spared
    lesson = teacher.lesson(request.task_type, now, repo=request.repo)
    adjusted = _adjustments(penalties, lesson.arm_penalties, unheard, chosen, request, policy)
    until = min([now + TTL, *(until for until in state.held.values() if until > now)])
    beliefs, utilities = tuple(board.beliefs[: len(chosen)]), tuple(board.utilities[: len(chosen)])
    return Situation(
        state, request, arms, policy, now, allowed, spared, tuple(filtered), tuple(unmet), probe, until, board,
        beliefs, utilities, adjusted, lesson,
    )  # fmt: skip


def _laid_out(
    state: RouterState, allowed: tuple[Arm, ...], spared: tuple[Arm, ...], request: Request, arms: Arms,
    policy: Policy, boards: Boards, filtered: list[tuple[str, str]], unmet: list[str],
) -> tuple[Board, tuple[Arm, ...]]:  # fmt: skip
    """The board, and which arms on it the task can pay for."""
    board = boards.board(allowed or spared, arms, policy, request)
    board.refresh(state.beliefs)
    affordable = _affordable(board, allowed, request, filtered, unmet)
    if len(affordable) < len(allowed):
        allowed = affordable
        board = boards.board(allowed, arms, policy, request)
        board.refresh(state.beliefs)
    return board, allowed


def _fitting(request: Request, arms: Arms, filtered: list[tuple[str, str]], unmet: list[str]) -> tuple[Arm, ...]:
    """Arms that can do the task at all; where nobody can, all of them, for something must be served, and it is said."""
    named = arms.all if request.candidates is None else tuple([arms.get(name) for name in request.candidates])
    if not request.required_tools and request.size is None:
        return named
    fitting = tuple([arm for arm in named if not _unfit(arm, request, filtered)])
    if not fitting:
        filtered.clear()
        unmet.append(nobody_fits(named, request))
    return fitting or named


def _steady(
    state: RouterState,
    allowed: tuple[Arm, ...],
    penalties: dict[str, float],
    request: Request,
    now: float,
    filtered: list[tuple[str, str]],
) -> tuple[Arm, ...]:
    """A tool loop waits for each of its calls: it does not go over to a slow tail while there is another arm."""
    kept = tuple([arm for arm in allowed if arm.name == request.incumbent or not _slow(arm, penalties)])
    if not kept:
        return allowed
    for arm in allowed:
        if arm not in kept:
            name = next(name for name in _members(arm) if penalties.get(name))
            tail = state.tails.get(name) or Tail()
            filtered.append((arm.name, reason(tail, state.policy.tail, now, _waiting(state, name, now)) or "slow tail"))
    return kept


def _slow(arm: Arm, penalties: dict[str, float]) -> bool:
    return any(penalties.get(name) for name in _members(arm))


def _adjustments(
    penalties: dict[str, float],
    lessons: Mapping[str, float],
    unheard: dict[str, float],
    chosen: tuple[Arm, ...],
    request: Request,
    policy: Policy,
) -> tuple[Adjustment, ...]:
    if request.strengths:
        return tuple([_adjustment(penalties, lessons, unheard, arm, request, policy) for arm in chosen])
    if not penalties and not lessons and not unheard:
        return (NOTHING_TO_ADD,) * len(chosen)
    return tuple(
        [
            _adjustment(penalties, lessons, unheard, arm, request, policy)
            if arm.steps or arm.name in penalties or arm.name in lessons or arm.name in unheard
            else NOTHING_TO_ADD
            for arm in chosen
        ]
    )


def _adjustment(
    penalties: dict[str, float],
    lessons: Mapping[str, float],
    unheard: dict[str, float],
    arm: Arm,
    request: Request,
    policy: Policy,
) -> Adjustment:
    """What a slow tail, bad experience and a breaker that is open cost, and what fitting strengths add."""
    value, fitting = policy.success_value_usd, 0.0
    tail = max([penalties.get(name, 0.0) for name in _members(arm)]) if penalties else 0.0
    learned = max([lessons.get(name, 0.0) for name in _members(arm)]) if lessons else 0.0
    silent = max([unheard.get(name, 0.0) for name in _members(arm)]) if unheard else 0.0
    if request.strengths:
        fitting = sum(strength in arm.strengths for strength in request.strengths) / len(request.strengths)
    return Adjustment(-tail * value, -learned * value, policy.strength_bonus * value * fitting, -silent * value)


def _limits_fit(state: RouterState) -> bool:
    """Where most calls of most arms take longer than the limit, the work is long, and no arm is slow."""
    long = sum(2 * tail.above > tail.calls for tail in state.tails.values())
    return 2 * long <= len(state.tails)


def _penalties(state: RouterState, now: float) -> dict[str, float]:
    """Tails as of now: penalised ones may have recovered with time, and calls that hang are slow already."""
    policy, found = state.policy.tail, dict(state.penalties)
    for name in state.penalties:
        found[name] = penalty(state.tails[name], policy, now, _waiting(state, name, now))
    for name, running in state.running.items():
        if name not in found and running.started:
            oldest = next(iter(running.started.values()))
            if now - oldest > SLOW_S and (waiting := elapsed_ms(running, now)):
                found[name] = penalty(state.tails.get(name) or Tail(), policy, now, waiting)
    return found


def _waiting(state: RouterState, name: str, now: float) -> list[float] | None:
    running = state.running.get(name)
    return elapsed_ms(running, now) if running is not None else None


def _members(arm: Arm) -> list[str]:
    return [arm.name, *(step for step, _ in arm.steps)]


def _unfit(arm: Arm, request: Request, filtered: list[tuple[str, str]]) -> bool:
    reason = None
    if request.required_tools and not set(request.required_tools) <= set(arm.tools):
        lacking = sorted(set(request.required_tools) - set(arm.tools))
        reason = f"lacks {', '.join(lacking)}"
    elif arm.context is not None and request.size is not None and request.size > arm.context:
        reason = f"{request.size:,} tokens do not fit its context of {arm.context:,}"
    if reason is not None:
        filtered.append((arm.name, reason))
    return reason is not None


def _spare(
    state: RouterState,
    fitting: tuple[Arm, ...],
    arms: Arms,
    now: float,
    policy: Policy,
    filtered: list[tuple[str, str]],
) -> tuple[tuple[Arm, ...], str | None, tuple[Arm, ...]]:
    """Who remains, who may be probed, and in which order the others would serve if nobody else could."""
    why = {status.name: status.reason for status in cooled(state.breakers, now)}
    providers = {arm.name: arm.provider for arm in fitting if not arm.steps}
    out = set(ejected(state.breakers, providers, policy.breaker.max_ejected))
    # A cascade is as unwell as the first of its arms that is left out.
    cascades = {arm.name for arm in fitting if any(step in out for step, _ in arm.steps)}
    if len(out | cascades) < len(fitting):
        out |= cascades
    for name in sorted(out):
        reason = why.get(name) or why.get(arms.by_name[name].provider or "") or "one of its steps is"
        filtered.append((name, f"cooled: {reason}"))
    able = probes(state.breakers, {name: provider for name, provider in providers.items() if name in out}, now)
    order = last_resort(state.breakers, {name: arms.by_name[name].provider for name in out})
    kept = tuple([arm for arm in fitting if arm.name not in out])
    return kept, able[0] if able else None, tuple([arms.by_name[name] for name in order])


def _candidate(arm: Arm, request: Request) -> Candidate:
    tokens = request.size or TYPICAL_IN
    priced = arm.price_in is not None or arm.price_out is not None
    price = ((arm.price_in or 0.0) * tokens + (arm.price_out or 0.0) * TYPICAL_OUT) / 1e6 if priced else None
    return Candidate(arm.name, arm.prior, price, 0.0, tuple(Step(step, verifier) for step, verifier in arm.steps))


def _affordable(
    board: Board, allowed: tuple[Arm, ...], request: Request, filtered: list[tuple[str, str]], unmet: list[str]
) -> tuple[Arm, ...]:
    """Leave out what is expected to cost or take too much, unless that leaves nobody."""
    if (request.budget_usd is None and request.deadline_ms is None) or not allowed:
        return allowed
    over = [beyond(board, arm.name, belief, request) for arm, belief in zip(allowed, board.beliefs, strict=False)]
    if all(over):
        unmet.append(nobody_affords(board, allowed, request))
        return allowed
    filtered += [(arm.name, said) for arm, said in zip(allowed, over, strict=True) if said]
    return tuple([arm for arm, said in zip(allowed, over, strict=True) if not said])

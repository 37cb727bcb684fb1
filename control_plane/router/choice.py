"""Which arm takes a task: a score in dollars, a little optimism, and the exact chance with which each arm is chosen.

`compile_table` turns beliefs into a `Table` of chances; `pick` draws from it. Both are pure: the same beliefs, task,
policy and bits give the same arm on every machine (only + - * / and square roots decide).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import add, mul

import msgspec

from .board import Belief, Board, ChoicePolicy, variance
from .posterior import Beliefs

SLOTS = 1 << 32  # chances are whole numbers of slots, so that a recorded propensity is exact
MOST_NEWS = 32  # results that a table may serve before it is compiled anew


class Table(msgspec.Struct, frozen=True):
    """The compiled choice: arms (as indices into `names`) with their edges on a line of `SLOTS` slots."""

    names: tuple[str, ...]
    arms: tuple[int, ...]
    edges: tuple[int, ...]
    chances: tuple[float, ...]
    beliefs: tuple[Belief, ...]
    utilities: tuple[float, ...]
    spreads: tuple[float, ...]
    best: int

    def chance(self, arm: int) -> float:
        return self.chances[self.arms.index(arm)] if arm in self.arms else 0.0


def pick(table: Table, bits: int) -> tuple[int, float]:
    """The arm that the low 32 bits choose, and the exact chance that it had."""
    at = bisect_right(table.edges, bits & 0xFFFFFFFF)
    return table.arms[at], table.chances[at]


def mix_bits(seed: int, counter: int = 0) -> int:
    """64 well-mixed bits (splitmix64): equal on every machine and in every Python."""
    z = (seed + (counter + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return z ^ (z >> 31)


def serves(seen: int) -> int:
    """How many more results a table may serve that was compiled after `seen` results of its task type."""
    return min(MOST_NEWS, 1 + (seen * seen >> 12))


def compile_table(
    board: Board,
    beliefs: Beliefs,
    incumbent: str | None = None,
    in_tool_loop: bool = False,
    adjustments: Sequence[float] = (),
) -> Table:
    """Bring the board up to date, and lay its candidates out."""
    board.refresh(beliefs)
    return lay_out(board, incumbent, in_tool_loop, adjustments)


def lay_out(
    board: Board, incumbent: str | None = None, in_tool_loop: bool = False, adjustments: Sequence[float] = ()
) -> Table:
    """The candidates of a board that is up to date on the line of slots; adjustments are dollars an arm."""
    count = len(board.names)
    utilities = tuple(board.utilities[:count])
    if any(adjustments):
        utilities = tuple([utility + extra for utility, extra in zip(utilities, adjustments, strict=True)])
    spreads = tuple(board.spreads[:count])
    # A tool loop needs whom it can rely on: doubt counts against an arm there.
    judged = (
        [utility - spread for utility, spread in zip(utilities, spreads, strict=True)] if in_tool_loop else utilities
    )
    best = _best_known(board, judged)
    held = board.names.index(incumbent) if incumbent in board.names else None
    calm = best if held is None else _unless_clearly_better(board, utilities, held)
    if in_tool_loop or count == 1:
        widths = [0] * count
        widths[calm] = SLOTS
    else:
        widths = _widths(board.policy, utilities, spreads, calm, guarded=held is not None)
        _spread_thin(board, utilities, widths, calm)
        if board.lost:
            _ask_lost(board, utilities, widths, calm, guarded=held is not None)
    arms = tuple(range(count)) if all(widths) else tuple([i for i, width in enumerate(widths) if width])
    drawn = widths if len(arms) == count else [widths[i] for i in arms]
    # Most arms have the floor and nothing else.
    shares = {width: width / SLOTS for width in {*drawn}}
    return Table(
        board.names,
        arms,
        tuple(accumulate(drawn)),
        tuple([shares[width] for width in drawn]),
        tuple(board.beliefs[:count]),
        utilities,
        spreads,
        best,
    )


def _best_known(board: Board, utilities: Sequence[float]) -> int:
    """The highest estimate; an arm that has never run counts only where none has."""
    prior = board.policy.prior_runs
    best = utilities.index(max(utilities))
    if board.beliefs[best].runs > prior:
        return best
    known = [i for i in range(len(utilities)) if board.beliefs[i].runs > prior]
    return max(known, key=utilities.__getitem__) if known else best


def _unless_clearly_better(board: Board, utilities: Sequence[float], held: int) -> int:
    """The incumbent, or the best of the arms whose gain over it, less its standard error, beats margin and switch."""
    policy = board.policy
    value = policy.success_value_usd
    toll = policy.margin_usd + policy.switch_cost_usd
    chosen = held
    for i, utility in enumerate(utilities):
        gain = utility - utilities[held]
        if gain > toll and utility > utilities[chosen]:
            error = value * math.sqrt(variance(board.beliefs[i]) + variance(board.beliefs[held]))
            if gain - policy.guard_errors * error > toll:
                chosen = i
    return chosen


def _widths(
    policy: ChoicePolicy, utilities: Sequence[float], spreads: Sequence[float], calm: int, guarded: bool
) -> list[int]:
    """Slots for each arm: the floor for all, then one equal share for the winner of each level of optimism."""
    count = len(utilities)
    each = int(policy.floor * SLOTS) // count
    widths = [each] * count
    left = SLOTS - each * count
    share = (int(left * policy.incumbent_explore) if guarded else left) // policy.levels
    step = 2.0 * (1.0 - policy.least_level) / policy.levels
    ladder = [policy.least_level + step * (level + 0.5) for level in range(policy.levels)]
    # Whoever loses at the highest level to what another reaches at the lowest can win at none.
    bar = max(map(add, utilities, map(mul, spreads, repeat(ladder[0]))))
    highest = map(add, utilities, map(mul, spreads, repeat(ladder[-1])))
    able = [i for i, score in enumerate(highest) if score >= bar]
    for level in ladder:
        scores = [utilities[i] + level * spreads[i] for i in able]
        top = max(scores)
        winners = [able[scores.index(top)]]
        if scores.count(top) > 1:
            winners = [i for i, score in zip(able, scores, strict=True) if score == top]
        part = share // len(winners)
        for i in winners:
            widths[i] += part
        left -= part * len(winners)
    widths[calm] += left
    return widths


def _spread_thin(board: Board, utilities: Sequence[float], widths: list[int], calm: int) -> None:
    """A table serves many draws: no arm that is less than the calm one is expected to run much oftener in them than it
    did before.

    Without this, an arm that one more run would rule out gets all the runs until the next table.
    """
    draws = serves(board.seen)
    if draws == 1:
        return
    policy = board.policy
    for i, width in enumerate(widths):
        if width * draws > SLOTS and utilities[i] < utilities[calm]:
            runs = board.beliefs[i].runs - policy.prior_runs
            most = int(SLOTS * (1.0 + policy.news * runs)) // draws
            if width > most:
                widths[i] = most
                widths[calm] += width - most


def _ask_lost(board: Board, utilities: Sequence[float], widths: list[int], calm: int, guarded: bool) -> None:
    """Who would be the best one, had it what it lost, is asked now and then whether it has it back."""
    policy = board.policy
    for i, lost in sorted(board.lost.items()):
        if i >= len(widths) or i == calm:
            continue
        hoped = utilities[i] + policy.success_value_usd * (lost.before - board.beliefs[i].success)
        if hoped > utilities[calm]:
            chance = lost.chance(board.seen) * (policy.incumbent_explore if guarded else 1.0)
            more = min(int(SLOTS * chance) - widths[i], widths[calm] // 2)
            if more > 0:
                widths[i] += more
                widths[calm] -= more

"""What of a result is learned from, and how much of a cost that is far off."""

import msgspec

from .posterior import Beliefs
from .terms import NOT_THE_ARM


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The part of a result that is learned from."""

    success: bool | None
    cost: float | None
    latency_ms: float | None
    ttft_ms: float | None
    error: str | None
    verified: bool | None
    # One more fault of many in a row: an outage, which says little of the arm's work.
    outage: bool = False
    # What a cost counts as that is far above what was expected.
    bounded: float | None = None

    @property
    def counted(self) -> float | None:
        return self.cost if self.bounded is None else self.bounded

    @property
    def truth(self) -> bool | None:
        return truth_of(self.success, self.error)

    @property
    def judged(self) -> float | None:
        truth = None if self.outage else self.truth
        return None if truth is None else float(truth)

    @property
    def seconds(self) -> float | None:
        return None if self.latency_ms is None else self.latency_ms / 1000.0


def truth_of(success: bool | None, error: str | None) -> bool | None:
    """Whether the arm did well; None where it cannot be judged by it."""
    if error is None:
        return success
    if error in NOT_THE_ARM:
        return None
    return False if success is None else success


def bounded(cost: float, guess: float, leap: float | None, beliefs: Beliefs, arm: str, task_type: str) -> float | None:
    """One run counts as at most so many times the arm's mean cost, of which the guess is one run: who is really that
    dear is known to be after a few runs, and one that is far off does not outweigh all others."""
    if leap is None or guess <= 0.0:
        return None
    book = beliefs.arms.get(arm)
    kind = None if book is None else book.types.get(task_type)
    spent, paid = (0.0, 0.0) if kind is None else (kind.tally.cost, kind.tally.paid)
    most = leap * (max(0.0, spent) + guess) / (max(0.0, paid) + 1.0)
    return max(guess, most) if cost > most else None


def alike(before: Outcome, now: Outcome) -> bool:
    """Whether the same was said again; what it counts as depends on when it was said."""
    return before == msgspec.structs.replace(now, outage=before.outage, bounded=before.bounded)

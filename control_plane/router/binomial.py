"""When so many slow calls are no accident: exact binomial bounds, of + - * / only, so that they replay bit for bit."""

from functools import lru_cache

DOUBT = 0.01  # the chance of a wrong verdict that one look accepts


@lru_cache(maxsize=8192)
def too_many(calls: int, share: float) -> int:
    """The smallest number of slow calls among `calls` that a true share of `share` makes less likely than `DOUBT`."""
    chance = _none_of(calls, share)
    at_most = 0.0
    for slow in range(calls + 1):
        if 1.0 - at_most < DOUBT:
            return slow
        at_most += chance
        chance = chance * (calls - slow) / (slow + 1) * share / (1.0 - share)
    return calls + 1


@lru_cache(maxsize=8192)
def too_few(calls: int, share: float) -> int | None:
    """The largest number of slow calls that a true share of `share` makes that unlikely; None while 0 is likely."""
    chance = at_most = _none_of(calls, share)
    found: int | None = None
    for slow in range(calls):
        if at_most >= DOUBT:
            break
        found = slow
        chance = chance * (calls - slow) / (slow + 1) * share / (1.0 - share)
        at_most += chance
    return found


def _none_of(calls: int, share: float) -> float:
    # `**` asks the C library, whose last bit differs between machines.
    chance = 1.0
    for _ in range(calls):
        chance *= 1.0 - share
    return chance

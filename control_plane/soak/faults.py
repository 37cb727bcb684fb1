"""Which faults there are, and when each strikes: a plan that follows from a seed."""

from enum import StrEnum
from random import Random

import msgspec

from ..errors import BadInput

SHORTEST_S = 12.0
_LONGEST_GAP_S = 8.0


class Fault(StrEnum):
    KILL = "kill"
    FULL = "full disk"
    SLOW = "slow disk"
    FORWARDS = "clock forwards"
    BACKWARDS = "clock backwards"
    RESTART = "postgres restart"


class Strike(msgspec.Struct, frozen=True):
    """Seconds after the start, for so long; `kills` when somebody is killed in the middle of it as well."""

    at: float
    fault: Fault
    lasts: float
    kills: bool = False


def plan(seconds: float, seed: int, faults: tuple[Fault, ...] = tuple(Fault)) -> list[Strike]:
    """Each fault once, in a new order each time, until the time is up; quiet at the beginning and at the end."""
    if not seconds >= SHORTEST_S:
        raise BadInput(
            f"{seconds:g} s are too short", why="each fault needs its time", cure=f"take {SHORTEST_S:g} or more"
        )
    chance = Random(seed)  # noqa: S311 - the same plan, again and again
    gap = min(_LONGEST_GAP_S, seconds / (len(faults) + 1.5))
    strikes: list[Strike] = []
    at = gap / 2
    order: list[Fault] = []
    while at + gap <= seconds:
        if not order:
            order = chance.sample(faults, len(faults))
        fault = order.pop()
        both = fault is not Fault.KILL and chance.random() < 0.25
        strikes.append(Strike(at, fault, gap * chance.uniform(0.3, 0.6), both))
        at += gap
    return strikes

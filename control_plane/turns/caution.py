"""Never dumber: which models a turn may go to, so that success stays within two points of the incumbent's.

A model that is not the incumbent costs, at worst, what the incumbent may be better by: the upper 95 % bound of the
incumbent's success less the lower one of its own. The sum of these shortfalls over all turns that went elsewhere may
not exceed two points for each turn so far. Who is proven pays nothing worth speaking of and gets whatever the router
gives it; who is unknown is tried as often as the budget allows.
"""

import math
from collections.abc import Iterable, Mapping

from .state import Tally

POINTS = 0.02
Z95 = 1.6448536269514722
NOBODY = Tally()


def bounds(won: float, lost: float) -> tuple[float, float]:
    """One-sided 95 % bounds of a rate (Wilson); nothing seen leaves everything possible."""
    seen = won + lost
    if seen <= 0.0:
        return 0.0, 1.0
    rate, z2 = won / seen, Z95 * Z95
    middle = rate + z2 / (2 * seen)
    reach = Z95 * math.sqrt(rate * (1 - rate) / seen + z2 / (4 * seen * seen))
    scale = 1 + z2 / seen
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def shortfall(tallies: Mapping[str, Tally], model: str, incumbent: str) -> float:
    """How much success one turn with this model may cost, at worst."""
    own, other = tallies.get(model, NOBODY), tallies.get(incumbent, NOBODY)
    return max(0.0, bounds(other.won, other.lost)[1] - bounds(own.won, own.lost)[0])


def permitted(tallies: Mapping[str, Tally], models: Iterable[str], incumbent: str) -> tuple[str, ...]:
    """The incumbent, and whoever may take one more turn; in the order given."""
    turns = 1 + sum(row.auto for row in tallies.values())
    used = sum(row.auto * shortfall(tallies, name, incumbent) for name, row in tallies.items() if name != incumbent)
    left = POINTS * turns - used
    return tuple([name for name in models if name == incumbent or shortfall(tallies, name, incumbent) <= left])

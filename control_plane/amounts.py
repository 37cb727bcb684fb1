"""The numbers of a router's policy: dollars, shares, runs and times, none of them below zero, none beyond reason."""

import math
from collections.abc import Mapping

from .errors import ControlPlaneError

MOST = 1e6


def check_amounts(told: Mapping[str, object], refusal: type[ControlPlaneError]) -> None:
    """A success that is worth less than nothing would pay for failure; `refusal` is one of the house's errors."""
    name = _absurd(told)
    if name:
        raise refusal(
            f"{name} cannot be used",
            why=f"each number of a router's policy lies between 0 and {MOST:,.0f}",
            cure="a success may be worth 2 dollars, as in success_value_usd = 2.0; see docs/router-choice.md",
        )


def _absurd(told: Mapping[str, object], within: str = "") -> str:
    """The first number that lies outside, as a person would look for it."""
    for name, value in told.items():
        if isinstance(value, Mapping):
            found = _absurd(value, f"{within}{name}.")
            if found:
                return found
        elif isinstance(value, int | float) and not (math.isfinite(value) and 0 <= value <= MOST):
            return f"{within}{name} = {value:g}"
    return ""

"""Lengths of time as people write them."""

from .errors import BadInput

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
LONGEST_S = 1e10


def seconds_of(told: str, most: float = LONGEST_S) -> float:
    """`90`, `90s`, `30m`, `12h`, `7d` or `2w` in seconds."""
    number, unit = (told[:-1], told[-1]) if told[-1:] in tuple(_UNITS) else (told, "s")
    try:
        found = float(number) * _UNITS[unit]
    except ValueError:
        raise BadInput(f"{told!r:.40} is no length of time", cure="as in 90s, 30m, 12h, 7d or 2w") from None
    if not 0 < found <= most:
        longest = f"up to {most / 3600:g}h" if most < LONGEST_S else "some of it"
        raise BadInput(f"{told!r:.40} is too long or too short", cure=longest)
    return found

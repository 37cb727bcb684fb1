"""What may be shown and kept of a path that a command came to: its own words, and names that stand in the project.

A command may put a name together from the text of a file; whoever asks must not be told that text by the answer.
"""

import os

from .matching import Matcher

HIDDEN = "…"


def shown(path: str, project: str, said: str) -> str:
    """The path with a mark in the place of each part that neither the call says nor the project holds."""
    parts: list[str] = []
    place = project
    for part in path.split("/"):
        place = f"{place}/{part}"
        parts.append(part if part in said or _there(place) else HIDDEN)
    return "/".join(parts)


def stands_for(path: str, numbers: frozenset[int], matcher: Matcher) -> tuple[str, ...] | None:
    """Patterns that meet the rules in the stead of names that are not shown; None where a rule has none that does."""
    patterns: list[str] = []
    for number in sorted(numbers - matcher.files(path)):
        own = (glob.removeprefix("./") for glob in matcher.rules.rules[number].paths or ())
        found = next((glob for glob in own if number in matcher.files(glob)), None)
        if found is None:
            return None
        patterns.append(found)
    return tuple(patterns)


def _there(place: str) -> bool:
    try:
        return os.path.lexists(place)
    except ValueError:
        return False

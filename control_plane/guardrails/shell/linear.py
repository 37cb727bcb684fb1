"""Expressions in the words of RE2 over texts of any length: each text is looked through once."""

from functools import cache
from typing import Any

from ..patterns import compiled


@cache
def _linear(expression: str) -> Any:
    return compiled(expression, dot_all=True)


def there(expression: str, text: str) -> bool:
    return _linear(expression).search(text.encode("utf-8", "replace")) is not None


def every(expression: str, text: str) -> list[str]:
    """Of each place that matches, the group that does, or all of it."""
    found = _linear(expression).findall(text.encode("utf-8", "replace"))
    firsts = (next(filter(None, one), b"") if isinstance(one, tuple) else one for one in found)
    return [one.decode("utf-8", "replace") for one in firsts]


def without(expression: str, text: str, instead: str) -> str:
    replaced: bytes = _linear(expression).sub(instead.encode(), text.encode("utf-8", "replace"))
    return replaced.decode("utf-8", "replace")

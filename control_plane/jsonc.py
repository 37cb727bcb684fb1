"""JSON with comments and trailing commas, as people write configurations, and JSON that all read alike."""

import json
import re
from typing import Any

import msgspec

# A string is taken whole, so that what looks like a comment inside it stays.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*.*?\*/|,(?=(?:\s|//[^\r\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)


def loads(content: bytes) -> Any:
    """Raises `msgspec.DecodeError` where it is not even JSON with comments."""
    plain = _TOKEN.sub(lambda found: found[0] if found[0].startswith(b'"') else b" ", content)
    return msgspec.json.decode(plain.removeprefix(b"\xef\xbb\xbf"))


def object_in(content: bytes) -> dict[str, Any]:
    """The object that it holds; an empty one where it holds none."""
    try:
        told = json.loads(content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


# For what was signed: no two readers may take it for different things.


def once(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """An `object_pairs_hook`: of two fields of one name some decoders take the first, some the last."""
    found = dict(fields)
    if len(found) != len(fields):
        raise ValueError("a field appears twice")
    return found


def no_number(text: str) -> Any:
    """A `parse_constant`: NaN and the infinities are no JSON."""
    raise ValueError(f"{text} is no number")

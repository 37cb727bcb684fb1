"""JSON with comments and trailing commas, as people write configurations; everything else is refused as in JSON."""

import re
from typing import Any

import msgspec

# A string is taken whole, so that what looks like a comment inside it stays.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*.*?\*/|,(?=(?:\s|//[^\r\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)


def loads(content: bytes) -> Any:
    """Raises `msgspec.DecodeError` where it is not even JSON with comments."""
    plain = _TOKEN.sub(lambda found: found[0] if found[0].startswith(b'"') else b" ", content)
    return msgspec.json.decode(plain.removeprefix(b"\xef\xbb\xbf"))

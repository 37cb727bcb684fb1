"""What the detector sees of a worker: calls that ended, words that were said, and what somebody told it.

One JSON object a line; this is also how a trace is kept in a file:
    {"type": "tool", "tool": "bash", "args": {…}, "output": "…", "failed": false, "tree": "…", "at": 12.5}
    {"type": "text", "text": "…"}      {"type": "chunk", "text": "…"}      {"type": "user", "text": "…"}
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BadInput


class ToolEnded(msgspec.Struct, frozen=True, tag="tool", gc=False):
    """`tree` is the hash of the workspace afterwards; without one the calls alone must tell."""

    tool: str
    args: dict[str, Any] = {}
    output: str = ""
    failed: bool | None = None
    tree: str = ""
    at: float | None = None


class TextSaid(msgspec.Struct, frozen=True, tag="text", gc=False):
    """A whole message of the worker."""

    text: str
    at: float | None = None


class Chunk(msgspec.Struct, frozen=True, tag="chunk", gc=False):
    """A part of a message that is still being said."""

    text: str
    at: float | None = None


class Told(msgspec.Struct, frozen=True, tag="user", gc=False):
    """A person's message, or with `own` the runner's nudge: a nudge is no news."""

    text: str = ""
    own: bool = False
    at: float | None = None


Seen = ToolEnded | TextSaid | Chunk | Told
_DECODER = msgspec.json.Decoder(Seen)


def read_trace(path: Path) -> Iterator[Seen]:
    """A trace as it lies in a file."""
    yield from parse(path.read_bytes().splitlines(), str(path))


def parse(lines: Iterable[bytes], name: str = "trace") -> Iterator[Seen]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _DECODER.decode(line)
        except msgspec.DecodeError as fault:
            cure = 'each line is {"type": "tool" | "text" | "chunk" | "user", …}'
            raise BadInput(f"line {number} of {name} cannot be read", why=str(fault), cure=cure) from None

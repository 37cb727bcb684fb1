"""What the detector sees of a worker: calls that ended, words that were said, and what somebody told it."""

from typing import Any

import msgspec


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

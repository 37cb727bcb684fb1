"""Traces as they lie in files, one JSON object a line.

{"type": "tool", "tool": "bash", "args": {…}, "output": "…", "failed": false, "tree": "…", "at": 12.5}
{"type": "text", "text": "…"}      {"type": "chunk", "text": "…"}      {"type": "user", "text": "…"}
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from control_plane.runner.trace import Seen

_DECODER = msgspec.json.Decoder(Seen)


def read_trace(path: Path) -> Iterator[Seen]:
    return (_DECODER.decode(line) for line in path.read_bytes().splitlines() if line.strip())

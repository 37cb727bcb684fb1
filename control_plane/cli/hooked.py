"""`guard hook` without the rest of the command line: a client waits for each of its calls."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..guardrails.hooking import Reply, home_beside, hook


def named_home(words: Sequence[str]) -> tuple[bool, str | None]:
    """Whether these words are a plain `guard hook`, and the home that they name."""
    if list(words[:2]) != ["guard", "hook"]:
        return False, None
    rest = list(words[2:])
    if len(rest) == 2 and rest[0] == "--home":
        return True, rest[1]
    return not rest, None


def answer(home: str | None) -> int:
    """Stdin to stdout, stderr and an exit code; nothing that goes wrong here may look like a yes."""
    try:
        told = reply(sys.stdin.buffer.read(), home)
        sys.stdout.write(told.stdout)
        sys.stdout.flush()
    except Exception as fault:  # the client must see that nobody checked
        told = Reply(1, "", f"control-plane guard could not answer, the call goes on unchecked: {fault!r}\n")
    sys.stderr.write(told.stderr)
    return told.exit


def reply(text: bytes, home: str | None) -> Reply:
    return hook(text, home_beside(home, os.environ), os.environ, opening(os.environ.get("CONTROL_PLANE_HOME", "")))


def opening(named: str) -> Callable[[str], Any]:
    """Opens the plane of a home, or the one on PostgreSQL that the environment names."""

    def open_plane(home: str) -> Any:
        from ..plane import ControlPlane

        return ControlPlane.open(named if named.startswith("postgres") else home, background=False)

    return open_plane

"""What needs POSIX asks here first: elsewhere it says so with a code, before it has begun."""

import os
import socket

from .errors import PlatformUnsupported


def needed_for(what: str) -> None:
    """Raise where processes have no groups that end together, or no socket has a place in the file system."""
    if not hasattr(os, "killpg") or not hasattr(socket, "AF_UNIX"):
        raise PlatformUnsupported(
            f"{what} does not work on this platform",
            why="it needs process groups and Unix sockets",
            cure="use Linux, macOS or WSL",
        )

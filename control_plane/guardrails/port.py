"""The way to the resident process: one line of JSON there, one line back, over a socket in the home.

Standard library only: a hook's call pays for every import.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from typing import Any

NAME, LONGEST, VERSION = "guard.sock", 16 << 20, 1
CONNECT_S, ANSWER_S, STOP_S = 0.5, 5.0, 900.0


@contextlib.contextmanager
def address(home: str) -> Iterator[str]:
    """The socket's path; one that is too long for the system is named through an open folder."""
    path = os.path.join(home, NAME)
    if len(os.fsencode(path)) < 100 or not os.path.isdir("/proc/self/fd"):
        yield path
        return
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


def ask(home: str, question: dict[str, Any], patience: float) -> dict[str, Any] | None:
    """The resident's answer; None when there is none that can be used, and then the caller decides alone."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        with address(home) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(CONNECT_S)
            line.connect(path)
            line.settimeout(patience)
            line.sendall(json.dumps({"v": VERSION, **question}).encode() + b"\n")
            told = json.loads(read_line(line))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("v") == VERSION and "exit" in told else None


def read_line(line: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        part = line.recv(65536)
        if not part:
            raise ValueError("the line ended early")
        parts.append(part)
        size += len(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
        if size > LONGEST:
            raise ValueError("the line is too long")

"""Files that a command is given by name; `-` is standard input."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import BadInput


@contextlib.contextmanager
def reading_file(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        if sys.stdin is None:
            raise BadInput("there is no standard input")
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below, whatever its reader does
    except OSError as fault:
        raise BadInput(f"{name!r} cannot be read", why=os.strerror(fault.errno or 0)) from None
    with file:
        yield file


def content_of(name: str) -> bytes:
    with reading_file(name) as file:
        try:
            return file.read()
        except OSError as fault:
            raise BadInput(f"{name!r} cannot be read", why=os.strerror(fault.errno or 0)) from None


def filled_lines(content: bytes) -> Iterator[bytes]:
    """What stands between line ends; an empty line is none."""
    return (line for line in (raw.rstrip(b"\r") for raw in content.split(b"\n")) if line)

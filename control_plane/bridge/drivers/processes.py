"""Runs a runtime's own program: for a moment, or on its own from then on."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 10.0


def run(command: Sequence[str], *, given: str | None = None) -> tuple[int, str]:
    """The exit code and what it printed; -1 when it is missing or hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - an operator named the program
            list(command), input=given, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return -1, str(fault)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def start(command: Sequence[str], folder: Path | None, log: Path, environment: Mapping[str, str]) -> int:
    """A process that outlives us, with a file for what it says; its id."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as told:
        process = subprocess.Popen(  # noqa: S603 - as above
            list(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip
    _CHILDREN.append(process)
    running()
    return process.pid


def running() -> int:
    """How many of those that we started go on; what ended is buried."""
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
    return len(_CHILDREN)


_CHILDREN: list["subprocess.Popen[bytes]"] = []

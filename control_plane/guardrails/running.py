"""Runs one check without a shell, for so long and no longer, and keeps so much of what it says and no more."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from hashlib import blake2b
from typing import IO, NamedTuple

from .. import posix
from ..clock import Clock
from .planning import Check

HEAD, TAIL, GRACE_S = 2000, 6000, 2.0


class Result(NamedTuple):
    """`outcome` passed, failed, timed-out or not-found; `said` the beginning and the end of its output."""

    check: Check
    outcome: str
    exit_code: int | None
    seconds: float
    said: str
    output_bytes: int
    digest: str


class _Listener:
    """Reads all that a process says, so that it never waits for us, and keeps a bounded part."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.size, self._head, self._tail = 0, b"", b""
        self._hash = blake2b(digest_size=16)
        self._stream = stream
        self._thread = threading.Thread(target=self._listen, name="stop-check-output", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                self.size += len(chunk)
                self._hash.update(chunk)
                room = HEAD - len(self._head)
                self._head += chunk[: max(room, 0)]
                self._tail = (self._tail + chunk[max(room, 0) :])[-TAIL:]

    def finish(self) -> tuple[str, str]:
        # A grandchild that was let loose may hold the pipe for ever.
        self._thread.join(GRACE_S)
        left_out = self.size - len(self._head) - len(self._tail)
        between = f"\n… {left_out:,} bytes left out …\n".encode() if left_out > 0 else b""
        return (self._head + between + self._tail).decode("utf-8", "replace"), self._hash.hexdigest()


def run_check(project: str, check: Check, timeout: float, environment: Mapping[str, str], clock: Clock) -> Result:
    """Its whole process group goes when the time is over, and also what it left behind when it ended."""
    posix.needed_for("a stop check")
    began = clock.monotonic()
    place = os.path.join(project, check.root)
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words, never a shell
            check.command, cwd=place, env={**environment, "CI": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as fault:
        return Result(check, "not-found", None, clock.monotonic() - began, str(fault), 0, "")
    assert process.stdout is not None
    listener = _Listener(process.stdout)
    try:
        code: int | None = process.wait(timeout)
        outcome = "passed" if code == 0 else "failed"
    except subprocess.TimeoutExpired:
        code, outcome = None, "timed-out"
    finally:
        _end(process)
    said, digest = listener.finish()
    return Result(check, outcome, code, clock.monotonic() - began, said, listener.size, digest)


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

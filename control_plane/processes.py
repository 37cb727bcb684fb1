"""Runs a program without a shell, in a group of its own, for so long, and keeps so much of what it says."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from time import monotonic
from typing import IO, NamedTuple

SLICE_S, GRACE_S = 0.1, 2.0


class Ran(NamedTuple):
    """`code` None: it was ended here, or never began, and then `fault` says why."""

    code: int | None
    said: str = ""
    size: int = 0
    digest: str = ""
    fault: str = ""


class _Listener:
    """Reads all that a process says, so that it never waits for us, and keeps a bounded part."""

    def __init__(self, stream: IO[bytes], head: int, tail: int) -> None:
        self.size, self._head, self._tail = 0, b"", b""
        self._most_head, self._most_tail = head, tail
        self._hash = blake2b(digest_size=16)
        self._stream = stream
        self._thread = threading.Thread(target=self._listen, name="program-output", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                self.size += len(chunk)
                self._hash.update(chunk)
                room = max(self._most_head - len(self._head), 0)
                self._head += chunk[:room]
                self._tail = (self._tail + chunk[room:])[-self._most_tail :]

    def finish(self) -> tuple[str, str]:
        # A grandchild that was let loose may hold the pipe for ever.
        self._thread.join(GRACE_S)
        left_out = self.size - len(self._head) - len(self._tail)
        between = f"\n… {left_out:,} bytes left out …\n".encode() if left_out > 0 else b""
        return (self._head + between + self._tail).decode("utf-8", "replace"), self._hash.hexdigest()


def run(
    command: Sequence[str], folder: str | os.PathLike[str], environment: Mapping[str, str], timeout_s: float, *,
    stop: threading.Event | None = None, head: int, tail: int,
) -> Ran:  # fmt: skip
    """Its whole group goes when the time is over or `stop` is set, and also what it left behind when it ended."""
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words, never a shell
            list(command), cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as fault:
        return Ran(None, fault=str(fault))
    assert process.stdout is not None
    listener = _Listener(process.stdout, head, tail)
    try:
        code = _wait(process, timeout_s, stop)
    finally:
        end_group(process.pid)
        process.wait()
    said, digest = listener.finish()
    return Ran(code, said, listener.size, digest)


def end_group(leader: int) -> None:
    """Whatever is left of a group that was begun with a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _wait(process: "subprocess.Popen[bytes]", timeout_s: float, stop: threading.Event | None) -> int | None:
    until = monotonic() + timeout_s
    while (left := until - monotonic()) > 0 and not (stop is not None and stop.is_set()):
        try:
            return process.wait(left if stop is None else min(left, SLICE_S))
        except subprocess.TimeoutExpired:
            continue
    return None

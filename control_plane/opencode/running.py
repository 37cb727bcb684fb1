"""A server of OpenCode that is started here, and ended here."""

import contextlib
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from .. import posix
from ..processes import end_group
from .port import OpenCode, check_version
from .shapes import IncompatibleServer, OpenCodeAway

START_S = 120.0
STOP_S = 5.0
_LISTENING = re.compile(rb"listening on (http://\S+)")
_VERSION = re.compile(r"v?\d+\.\d+\.\d+\S*")
NAME = "opencode"


def find_binary(given: str | None = None) -> str:
    """The named one, else the one of the search path."""
    found = shutil.which(given or NAME)
    if found is None:
        raise OpenCodeAway(
            f"there is no program {given or NAME!r} here", cure="npm install -g opencode-ai@1.18.33, or name it"
        )
    return found


def version_of(binary: str, env: Mapping[str, str] | None = None) -> str:
    """What `--version` says, checked; raises where this generation cannot be driven."""
    try:
        done = subprocess.run(  # noqa: S603 - the program that the caller named
            [binary, "--version"], capture_output=True, timeout=START_S, env=None if env is None else dict(env),
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise OpenCodeAway(f"{binary} cannot be run", why=str(fault)) from None
    said = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2].strip()
    # OpenCode says a number and nothing else.
    if not _VERSION.fullmatch(said):
        why = f"its --version says {said[:60]!r}, and ends with {done.returncode}"
        raise IncompatibleServer(f"{binary} is not OpenCode", why=why, cure="name OpenCode's own program")
    check_version(said)
    return said


class Running:
    """`opencode serve` in a folder, on a free port of loopback; it starts at once, and who asks for `port` waits."""

    def __init__(
        self, binary: str, folder: Path, env: Mapping[str, str], *, log: Path | None = None, more: Sequence[str] = ()
    ) -> None:
        posix.needed_for("a server of OpenCode under our care")
        self._lines: list[bytes] = []
        self._ready, self._url = threading.Event(), ""
        self._log = log
        try:
            self.process = subprocess.Popen(  # noqa: S603 - as above
                [binary, "serve", "--hostname", "127.0.0.1", "--port", str(free_port()), *more],
                cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as fault:
            raise OpenCodeAway(f"{binary} cannot be run", why=str(fault)) from None
        self._reader = threading.Thread(target=self._read, name="opencode-output", daemon=True)
        self._reader.start()
        self._folder = folder

    @cached_property
    def port(self) -> OpenCode:
        """Talks to it; what did not start is ended."""
        try:
            self._ready.wait(START_S)
            if not self._url:
                raise OpenCodeAway("`opencode serve` did not start", why=self.tail() or "it said nothing")
            return OpenCode.connect(self._url, directory=str(self._folder))
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    def tail(self) -> str:
        return b"".join(self._lines[-20:]).decode("utf-8", "replace").strip()

    def stop(self) -> None:
        """The server in good order, then whatever it had started."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        end_group(self.process.pid)
        self.process.wait(STOP_S)
        self._reader.join(STOP_S)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._lines = [*self._lines[-200:], line]
                if self._log is not None:
                    with self._log.open("ab") as file:
                        file.write(line)
                found = _LISTENING.search(line)
                if found and not self._url:
                    self._url = found[1].decode()
                    self._ready.set()
        self._ready.set()


def free_port() -> int:
    """OpenCode takes 4096 for port 0, so the port is chosen here."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port

"""The resident's half of the port: answers hooks from a process that has everything in memory."""

import contextlib
import json
import os
import socket
import threading
from typing import Any

from .. import posix
from ..errors import BadInput, PlatformUnsupported
from .claude import reply
from .hooking import read_payload
from .port import VERSION, address, read_line
from .service import Guard

WAITING, PATIENCE_S = 64, 10.0


class AlreadyResident(BadInput):
    """Another process answers the hooks of this home."""

    code = "guard.already-resident"


class Resident:
    """Listens in the home until it is closed; one thread for each caller, so that a slow stop check holds up nobody."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        posix.needed_for("a resident guard")
        self._home = guard.home
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with address(self._home) as path:
            if self._alive(path):
                self._listener.close()
                raise AlreadyResident(f"another process answers hooks in {self._home}", cure="end that one first")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._listener.bind(path)
            os.chmod(path, 0o600)
        self._listener.listen(WAITING)
        self._thread = threading.Thread(target=self._serve, name="guard-port", daemon=True)

    def start(self) -> "Resident":
        self._thread.start()
        return self

    def close(self) -> None:
        """The name goes first: once nobody listens any more, another process may take it."""
        with address(self._home) as path, contextlib.suppress(OSError):
            os.unlink(path)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)

    def __enter__(self) -> "Resident":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), name="guard-hook", daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            with line:
                line.settimeout(PATIENCE_S)
                body: dict[str, Any] = {"v": VERSION, **self._reply(line)}
                line.sendall(json.dumps(body).encode() + b"\n")
            self._guard.tidy()

    def _reply(self, line: socket.socket) -> dict[str, Any]:
        """An answer without an exit code sends the caller to decide alone: one's trouble is not the others'."""
        try:
            question = json.loads(read_line(line))
            payload = read_payload(json.dumps(question["hook"]).encode())
            environment = {str(name): str(value) for name, value in dict(question["env"]).items()}
            return reply(self._guard, payload, environment)._asdict()
        except Exception as fault:
            return {"fault": f"{type(fault).__name__}: {fault}"}

    @classmethod
    def beside(cls, guard: Guard) -> "contextlib.AbstractContextManager[object]":
        """Listens unless another process does so already, which is as good; where nobody can, hooks decide alone."""
        try:
            return cls(guard)
        except (AlreadyResident, PlatformUnsupported, OSError):
            return contextlib.nullcontext()

    @staticmethod
    def _alive(path: str) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.5)
            try:
                probe.connect(path)
            except OSError:
                return False
        return True

"""A worker of the runner: an OpenCode server of its own, its events as signals, gone when the runner is gone."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import posix
from ..errors import ControlPlaneError
from ..runner.port import Alive, Died, Erred, Idle, Resumed, Retrying, Signal, Spent
from ..runner.trace import Chunk, TextSaid, ToolEnded
from .port import EventStream, OpenCode
from .running import STOP_S, Running, find_binary
from .shapes import Event, OpenCodeAway, OpenCodeRefused

RECONNECT_S, TRIES = (0.1, 0.3, 1.0, 2.0, 4.0), 5
NOBODY = "Nobody is there to answer. Do without it, or take a way that needs no permission."
# Ends the worker's group when the pipe from the runner breaks, whatever way the runner went.
_WATCHDOG = "import os,sys\nsys.stdin.buffer.read()\ntry: os.killpg(int(sys.argv[1]),9)\nexcept OSError: pass\n"


class OpenCodeWorker:
    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        *,
        binary: str | None = None,
        title: str = "run",
        agent: str | None = None,
        more: Sequence[str] = (),
    ) -> None:
        posix.needed_for("a worker")
        self._folder, self._env, self._agent, self._title = folder, dict(env), agent, title
        self._binary, self._more = find_binary(binary), tuple(more)
        self._running: Running | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._sink: Callable[[Signal], None] = lambda _: None
        self._stream: EventStream | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="opencode-events", daemon=True)
        self._session, self._seen, self._texts = "", set[str](), set[str]()
        self._cuts = 0
        self.version, self.pid, self.url = "", 0, ""

    @property
    def _port(self) -> OpenCode:
        assert self._running is not None
        return self._running.port

    def launch(self) -> None:
        """Its server begins to start, while the caller does something else."""
        self._running = Running(self._binary, self._folder, self._env, more=self._more)
        self.pid = self._running.pid
        self._watchdog = subprocess.Popen(  # noqa: S603 - this interpreter and a number
            [sys.executable, "-S", "-c", _WATCHDOG, str(self.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def start(self, sink: Callable[[Signal], None], session: str = "") -> str:
        """First the server, then its events, then the session: so nothing of it is missed."""
        if self._running is None:
            self.launch()
        self.url, self.version = self._port.url, self._port.probe().version
        self._sink = sink
        self._stream = self._port.events()
        if session:
            with contextlib.suppress(OpenCodeRefused):
                self._session = self._port.session(session).id
                self._known()
        if not self._session:
            self._session = self._port.create_session(self._title).id
        self._thread.start()
        return self._session

    def ask(self, text: str, model: str) -> None:
        self._port.prompt_async(self._session, text, model=model or None, agent=self._agent)

    def abort(self) -> None:
        self._port.abort(self._session)

    def models(self) -> list[str]:
        return self._port.models()

    def spent(self) -> Spent:
        infos = [one.info for one in self._port.messages(self._session) if one.info.role == "assistant"]
        return Spent(
            sum(info.cost for info in infos), int(sum(info.tokens.input for info in infos)),
            int(sum(info.tokens.output for info in infos)), next((i.model for i in reversed(infos) if i.model), ""),
        )  # fmt: skip

    def close(self) -> None:
        """Once and for all: the events, the server with whatever it started, the watchdog."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._stream is not None:
            self._stream.close()
        if self._running is not None:
            self._running.stop()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.kill()
            self._watchdog.stdin.close()
            self._watchdog.wait(STOP_S)
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    # Events.

    def _listen(self) -> None:
        """Until it is closed; a stream that is cut is opened again, and what was missed meanwhile is looked up."""
        while not self._closing.is_set():
            assert self._stream is not None
            for event in self._stream:
                if self._closing.is_set():
                    return
                self._take(event)
            if self._closing.is_set() or not self._again():
                return

    def _again(self) -> bool:
        assert self._running is not None
        self._stream.close() if self._stream is not None else None
        for pause in RECONNECT_S:
            if self._running.process.poll() is not None:
                self._sink(Died(f"it ended with {self._running.process.returncode}: {self._running.tail()[-500:]}"))
                return False
            try:
                self._stream = self._port.events()
                self._cuts += 1
                self._sink(Resumed(self._cuts))
                self._catch_up()
                return True
            except ControlPlaneError:
                if self._closing.wait(pause):
                    return False
        gone = self._running.process.poll()
        self._sink(Died("its events cannot be read any more" if gone is None else f"it ended with {gone}"))
        return False

    def _known(self) -> None:
        """What a session said before it was resumed is not new."""
        for message in self._port.messages(self._session):
            for part in message.parts:
                self._seen.add(str(part.get("callID") or part.get("id")))

    def _catch_up(self) -> None:
        for message in self._port.messages(self._session):
            if message.info.role != "assistant":
                continue
            for part in message.parts:
                self._part(part)
            if message.info.error is not None:
                self._error(message.info.error.name, message.info.error.data)
        if self._session not in self._port.busy():
            self._sink(Idle())

    def _take(self, event: Event) -> None:
        if event.session != self._session:
            self._other(event)
            return
        told = event.properties
        if event.type == "message.part.updated":
            part = told.get("part")
            self._part(part if isinstance(part, dict) else {})
        elif event.type == "message.part.delta":
            if told.get("field") == "text" and told.get("partID") in self._texts:
                self._sink(Chunk(str(told.get("delta", ""))))
            else:
                self._sink(Alive())
        elif event.type == "session.idle":
            self._sink(Idle())
        elif event.type == "session.error":
            error = told.get("error")
            error = error if isinstance(error, dict) else {}
            self._error(str(error.get("name", "")), error.get("data") or {})
        elif event.type == "session.status":
            self._status(told.get("status"))
        elif event.type == "permission.asked":
            self._refuse(str(told.get("id", "")))
        else:
            self._sink(Alive())

    def _other(self, event: Event) -> None:
        """Of a subagent, which works for this run, or of nobody."""
        part = event.properties.get("part")
        if event.session and isinstance(part, dict) and part.get("type") == "tool":
            self._part(part)
        elif event.type.startswith(("message.", "session.")):
            self._sink(Alive())

    def _part(self, part: dict[str, Any]) -> None:
        kind, name = part.get("type"), str(part.get("callID") or part.get("id"))
        if kind == "text" and not part.get("synthetic"):
            if part.get("time", {}).get("end") and name in self._texts and name not in self._seen:
                self._seen.add(name)
                self._sink(TextSaid(str(part.get("text", ""))))
            elif not part.get("time", {}).get("end") and part.get("time", {}).get("start"):
                # The user's own text has no time of its own.
                self._texts.add(name)
                self._sink(Alive())
        elif kind == "tool" and name not in self._seen:
            state = part.get("state") or {}
            if state.get("status") in ("completed", "error"):
                self._seen.add(name)
                self._sink(_called(str(part.get("tool", "")), state))
            else:
                self._sink(Alive())
        else:
            self._sink(Alive())

    def _status(self, status: Any) -> None:
        if isinstance(status, dict) and status.get("type") == "retry":
            what = str(status.get("message", ""))
            self._sink(Retrying(int(status.get("attempt", 1)), what, _status_in(what)))
        else:
            self._sink(Alive())

    def _error(self, name: str, data: Any) -> None:
        data = data if isinstance(data, dict) else {}
        if name == "MessageAbortedError":
            self._sink(Alive())
            return
        status = data.get("statusCode")
        what = str(data.get("message") or name or "an error without words")
        self._sink(Erred("model", what, status if isinstance(status, int) else 0))

    def _refuse(self, permission: str) -> None:
        """Nobody is asked in a run: a question would hang for ever."""
        with contextlib.suppress(ControlPlaneError):
            self._port.reply(permission, "reject", NOBODY)
        self._sink(Alive())


def _called(tool: str, state: dict[str, Any]) -> ToolEnded:
    args, metadata = state.get("input"), state.get("metadata")
    failed = state.get("status") == "error"
    if isinstance(metadata, dict) and isinstance(metadata.get("exit"), int):
        failed = failed or metadata["exit"] != 0
    output = state.get("error") if state.get("status") == "error" else state.get("output")
    text = output if isinstance(output, str) else json.dumps(output)
    return ToolEnded(tool, args if isinstance(args, dict) else {}, text, failed)


def _status_in(what: str) -> int:
    """While it retries OpenCode tells the model's words only; 0 where they do not name the status."""
    low = what.lower()
    if "rate limit" in low or "429" in low or "too many requests" in low:
        return 429
    return 500 if any(word in low for word in ("500", "502", "503", "internal", "overloaded", "unavailable")) else 0


__all__ = ["OpenCodeAway", "OpenCodeWorker"]

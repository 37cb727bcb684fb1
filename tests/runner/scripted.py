"""A worker that plays what it is given, turn by turn, and a server that answers as it is told."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from control_plane.runner.port import Idle, Signal, Spent
from control_plane.runner.trace import ToolEnded

Turn = list[Signal | Callable[[], None]]


class ScriptedWorker:
    """`turns` are played one for each prompt, the last one again and again."""

    version, pid, url = "scripted", 0, ""

    def __init__(self, *turns: Turn, connected: tuple[str, ...] = ()) -> None:
        self.turns, self.connected = list(turns), list(connected)
        self.asked: list[tuple[str, str]] = []
        self.aborts, self.closed = 0, False
        self.resumed = ""
        self._sink: Callable[[Signal], None] = lambda _: None

    def start(self, sink: Callable[[Signal], None], session: str = "") -> str:
        self._sink, self.resumed = sink, session
        return session or "ses_scripted"

    def ask(self, text: str, model: str) -> None:
        self.asked.append((text, model))
        for one in self.turns[min(len(self.asked), len(self.turns)) - 1]:
            if callable(one):
                one()
            else:
                self._sink(one)

    def abort(self) -> None:
        self.aborts += 1

    def spent(self) -> Spent:
        return Spent(0.01 * len(self.asked), 100, 10, "scripted/one")

    def models(self) -> list[str]:
        return self.connected

    def close(self) -> None:
        self.closed = True


def call(command: str = "make", output: str = "red", *, failed: bool = True) -> ToolEnded:
    return ToolEnded("bash", {"command": command}, output, failed)


def same(times: int) -> Turn:
    return [*[call() for _ in range(times)], Idle()]


class Answers(ThreadingHTTPServer):
    """Plays (status, content type, body) one after another, the last again; remembers what came."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, str, str], hangs: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.hangs = list(answers), hangs
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is nobody's trouble."""


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        server = self.server
        server.came.append(({name.lower(): value for name, value in self.headers.items()}, raw))
        if server.hangs:
            server.ending.wait(60)
            return
        status, content, body = server.answers[min(len(server.came), len(server.answers)) - 1]
        self.send_response(status)
        self.send_header("content-type", content)
        self.send_header("content-length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())


@contextlib.contextmanager
def answering(*answers: tuple[int, str, str], hangs: bool = False) -> Iterator[Answers]:
    server = Answers(*answers, hangs=hangs)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        thread.join(10)
        server.server_close()


def review(action: str, reason: str = "because", feedback: str = "") -> tuple[int, str, str]:
    told = json.dumps({"action": action, "reason": reason, "feedback": feedback})
    return 200, "application/json", json.dumps({"choices": [{"message": {"content": told}}]})

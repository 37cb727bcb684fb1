"""A model server on loopback that does what the prompt's last user message says, and remembers every request.

One directive a line; the one at index <answers of the assistant since then> is played:
    CALL <tool> <json>   one tool call           SAY <text>
    SLOW <n> <seconds>   n chunks, so far apart
Whatever the step, for one model only (LATER instead of FAULT: not in its first step):
    FAULT <model> ERR <status> <words> | HANG | BREAK | STALL
When the directives are used up it says "DONE: <last tool result>" or "hello from <model>".
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
VERBS = ("CALL", "SAY", "SLOW")


class Scripted(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, play: Callable[[dict[str, Any]], tuple[str, str]] | None = None, served: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.play, self.served = play or plan, served
        self.lock, self.requests = threading.Lock(), list[dict[str, Any]]()
        self.ending = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="model", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def asked(self, session: str | None = None, *, titles: bool = False) -> list[dict[str, Any]]:
        with self.lock:
            found = list(self.requests)
        if session is not None:
            found = [one for one in found if one["headers"].get("x-session-id") == session]
        return found if titles else [one for one in found if not is_title(one["body"])]

    def models(self, session: str | None = None) -> list[str]:
        return [one["body"]["model"] for one in self.asked(session)]

    def close(self) -> None:
        self.ending.set()
        self.shutdown()
        self._thread.join(10)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is nobody's trouble."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        server = self.server
        raw = self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}"
        body = json.loads(raw)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with server.lock:
            server.requests.append(
                {"at": time.monotonic(), "path": self.path, "headers": headers, "body": body, "raw": raw}
            )
            number = len(server.requests)
        verb, rest = server.play(body)
        if verb == "ERR":
            status, _, words = rest.partition(" ")
            return self._json(int(status), {"error": {"message": words or "scripted", "type": "scripted"}})
        self._stream(verb, rest, number, body)
        return None

    def _json(self, status: int, told: Any) -> None:
        raw = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, verb: str, rest: str, number: int, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._chunks(verb, rest, number, body)

    def _chunks(self, verb: str, rest: str, number: int, body: dict[str, Any]) -> None:
        if verb == "HANG":
            self.server.ending.wait(600)
            return

        def chunk(delta: dict[str, Any], finish: str | None = None) -> None:
            told: dict[str, Any] = {
                "id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1,
                "model": self.server.served or body["model"],
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }  # fmt: skip
            if finish:
                told["usage"] = USAGE
            self.wfile.write(b"data: " + json.dumps(told).encode() + b"\n\n")
            self.wfile.flush()

        chunk({"role": "assistant", "content": ""})
        if verb in ("BREAK", "STALL"):
            chunk({"content": "half an ans"})
            if verb == "STALL":
                self.server.ending.wait(600)
            return
        if verb == "CALL":
            tool, _, arguments = rest.partition(" ")
            call = {"index": 0, "id": f"call_{number}", "type": "function"}
            chunk({"tool_calls": [{**call, "function": {"name": tool, "arguments": arguments or "{}"}}]})
            chunk({}, "tool_calls")
        else:
            times, pause = rest.split() if verb == "SLOW" else (1, 0)
            for at in range(int(times)):
                chunk({"content": f"word{at} " if verb == "SLOW" else rest})
                self.server.ending.wait(float(pause))
            chunk({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")
        self.wfile.flush()


def plan(body: dict[str, Any]) -> tuple[str, str]:
    if is_title(body):
        return "SAY", "A title"
    messages = body["messages"]
    last = max((at for at, one in enumerate(messages) if one["role"] == "user"), default=-1)
    lines = [line.strip() for line in text_of(messages[last]["content"]).splitlines()] if last >= 0 else []
    for line in lines:
        word, model, verb, *rest = [*line.split(" ", 3), "", "", ""][:4]
        if word == "LATER" and model == body["model"] and any(one["role"] == "assistant" for one in messages[last:]):
            return verb, " ".join(rest)
        if word == "FAULT" and model == body["model"]:
            return verb, " ".join(rest)
    after = messages[last + 1 :]
    step = sum(one["role"] == "assistant" for one in after)
    directives = [line for line in lines if line.split(" ")[0] in VERBS]
    if step < len(directives):
        verb, _, rest_of = directives[step].partition(" ")
        return verb, rest_of
    tools = [one for one in after if one["role"] == "tool"]
    return "SAY", f"DONE: {text_of(tools[-1]['content'])[:500]}" if tools else f"hello from {body['model']}"


def is_title(body: dict[str, Any]) -> bool:
    system = " ".join(text_of(one["content"]) for one in body.get("messages", ()) if one["role"] == "system")
    return "title generator" in system.lower()


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""

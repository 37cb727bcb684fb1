"""Between OpenCode and a provider: sees whose token came, sends that role's key on, remembers what was served."""

import contextlib
import http.client
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from ..dialling import dial
from ..dogfood.client import Call

PATIENCE_S, SETTLE_S = 300.0, 5.0
_SERVED = re.compile(rb'"model"\s*:\s*"([^"]{1,200})"')


class Relay(ThreadingHTTPServer):
    """OpenCode and its agent hold tokens of this run only; the keys stay in this process."""

    daemon_threads = True

    def __init__(self, provider: str, keys: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.provider, self.keys = provider.rstrip("/"), dict(keys)
        self.tokens = {role: f"{role}-{secrets.token_hex(16)}" for role in keys}
        self.holding: threading.Event | None = None
        self.hold_s = 0.0
        self._calls, self._under_way, self._ended = list[Call](), 0, threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="relay", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fingerprint(self, role: str) -> str:
        return "sha256:" + sha256(self.keys[role].encode()).hexdigest()[:16]

    @contextlib.contextmanager
    def noting(self) -> Iterator[Callable[[Call], None]]:
        """While a call is under way; whoever asks for calls waits for it."""
        with self._ended:
            self._under_way += 1
        try:
            yield self._calls.append
        finally:
            with self._ended:
                self._under_way -= 1
                self._ended.notify_all()

    def calls(self) -> list[Call]:
        """Those since the last time. Its asker has an answer a moment before a call ends here."""
        with self._ended:
            self._ended.wait_for(lambda: not self._under_way, SETTLE_S)
            found = self._calls.copy()
            self._calls.clear()
        return found

    @contextlib.contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Answers wait so long, or until this is left."""
        self.holding, self.hold_s = threading.Event() if seconds else None, seconds
        try:
            yield
        finally:
            if self.holding is not None:
                self.holding.set()
            self.holding = None

    def close(self) -> None:
        self.shutdown()
        self._thread.join(10)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is nobody's trouble."""


class _Handler(BaseHTTPRequestHandler):
    server: Relay

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        server = self.server
        token = self.headers.get("authorization", "").removeprefix("Bearer ").encode()
        role = next((name for name, one in server.tokens.items() if secrets.compare_digest(one.encode(), token)), None)
        if role is None:
            return self.send_error(401)
        try:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = str(json.loads(raw or b"{}").get("model", ""))
        except (ValueError, AttributeError):
            return self.send_error(400)
        with server.noting() as note:
            self._relayed(server, role, raw, asked, note)
        return None

    def _relayed(self, server: Relay, role: str, raw: bytes, asked: str, note: Callable[[Call], None]) -> None:
        if (holding := server.holding) is not None:
            holding.wait(server.hold_s)
        served, status = b"", 502
        try:
            with contextlib.closing(self._upstream(role, raw)) as connection:
                answer = connection.getresponse()
                status = answer.status
                served = self._pass_on(answer)
        except (OSError, http.client.HTTPException):
            if status == 502:
                with contextlib.suppress(OSError):
                    self.send_error(502)
        finally:
            note(Call(role, server.fingerprint(role), asked, served.decode("utf-8", "replace"), status))

    def _upstream(self, role: str, raw: bytes) -> http.client.HTTPConnection:
        connection = dial(self.server.provider, PATIENCE_S)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("host", "authorization", "content-length", "connection", "accept-encoding")
        }
        headers["authorization"] = f"Bearer {self.server.keys[role]}"
        connection.request("POST", urlsplit(self.server.provider).path + self.path, raw, headers)
        return connection

    def _pass_on(self, answer: http.client.HTTPResponse) -> bytes:
        """Line by line, as it comes; the model that the first line names."""
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers.get("content-type", "application/json"))
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        served = b""
        while line := answer.readline():
            if not served and answer.status == 200 and (found := _SERVED.search(line)):
                served = found[1]
            self.wfile.write(line)
            self.wfile.flush()
        return served

"""The relay: only tokens of its own, only requests that can be read, and never a key to the asker."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from control_plane.opencode.relaying import Relay


class Provider(BaseHTTPRequestHandler):
    keys: list[str]

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        self.keys.append(self.headers["authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"model": "served"}\n')


@pytest.fixture
def keys() -> list[str]:
    return []


@pytest.fixture
def relay(keys: list[str]) -> Iterator[Relay]:
    provider = ThreadingHTTPServer(("127.0.0.1", 0), type("Noting", (Provider,), {"keys": keys}))
    serving = threading.Thread(target=provider.serve_forever, args=(0.02,))
    serving.start()
    relay = Relay(f"http://127.0.0.1:{provider.server_address[1]}/v1", {"worker": "sk-worker"})
    yield relay
    relay.close()
    provider.shutdown()
    serving.join()
    provider.server_close()


def ask(relay: Relay, token: bytes, body: bytes, length: str | None = None) -> int:
    with closing(http.client.HTTPConnection(*relay.server_address[:2], timeout=10)) as line:  # type: ignore[misc]
        line.putrequest("POST", "/chat/completions")
        line.putheader("Authorization", b"Bearer " + token)
        line.putheader("Content-Length", length or str(len(body)))
        line.endheaders(body)
        return line.getresponse().status


def test_its_own_token_is_changed_for_the_key(relay: Relay, keys: list[str]) -> None:
    assert ask(relay, relay.tokens["worker"].encode(), json.dumps({"model": "asked"}).encode()) == 200
    assert keys == ["Bearer sk-worker"]
    (call,) = relay.calls()
    assert (call.role, call.asked, call.served, call.status) == ("worker", "asked", "served", 200)


@pytest.mark.parametrize("token", [b"", b"worker-0", "wörker-…".encode(), b"\xff" * 40])
def test_any_other_token_is_refused(relay: Relay, keys: list[str], token: bytes) -> None:
    assert ask(relay, token, b"{}") == 401
    assert keys == []


@pytest.mark.parametrize(("body", "length"), [(b"[]", None), (b"{", None), (b"3", None), (b"{}", "two")])
def test_what_cannot_be_read_is_refused(relay: Relay, keys: list[str], body: bytes, length: str | None) -> None:
    assert ask(relay, relay.tokens["worker"].encode(), body, length) == 400
    assert keys == []

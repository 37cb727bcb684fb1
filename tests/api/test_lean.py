"""The short road of advice: the same answers as the long one, only sooner."""

import asyncio
import json
import threading

import httpx
import pytest
from structlog.testing import capture_logs

from control_plane.api.app import create_app
from control_plane.errors import ControlPlaneError
from tests.api.conftest import TOKEN

pytestmark = pytest.mark.anyio

PLAIN, LONG = "application/json", "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "content",
    [
        b'{"type":"code.fix"}',
        b'{"type":"code.fix","repo":"acme/api","files":["a.py"],"tokens_in":5,"in_tool_loop":true}',
        b'{"type":"code.fix","candidates":["acme/cheap"]}',
        b"",
        b"{",
        b"null",
        b'{"type":3}',
        b'{"type":""}',
        b'{"typ":"x"}',
        b'{"type":"x","override":"nobody"}',
        b'{"type":"x","description":"\xff"}',
        b'{"type":"x","attempt":0}',
        b"[" * 50_000,
        b'{"type":"x","description":"' + b"d" * 100_000 + b'"}',
        b'{"type":"x","description":"' + b"d" * (2 << 20) + b'"}',
    ],
    ids=lambda content: content[:30].decode("latin-1"),
)
async def test_both_roads_answer_alike(client, content):
    short, long = [
        await client.post("/api/advise", content=content, headers={"Content-Type": kind, "X-Request-Id": "same"})
        for kind in (PLAIN, LONG)
    ]
    assert short.status_code == long.status_code
    assert short.headers["content-type"] == long.headers["content-type"]
    assert short.headers["x-request-id"] == long.headers["x-request-id"] == "same"
    if short.status_code == 200:
        ours = {"decision_id", "seed", "cached", "ledger_position"}
        assert short.json().keys() == long.json().keys() > ours
        picked = [{name: value for name, value in one.json().items() if name in ("policy_hash", "strategy")}
                  for one in (short, long)]  # fmt: skip
        assert picked[0] == picked[1]
    else:
        assert short.json() == long.json()


@pytest.mark.parametrize("path", ["/api/opencode/turn", "/api/opencode/steps"])
@pytest.mark.parametrize(
    "content",
    [
        b'{"turn":"t1","session":"s","asked":"acme/cheap"}',
        b'{"turn":"t1","session":"s","asked":"acme/cheap","sample":3}',
        b'{"steps":[]}',
        b'{"steps":[{"turn":"t1","session":"s","message":"m","model":"acme/cheap","usage":{}}]}',
        b"null",
    ],
)
async def test_both_roads_answer_the_plugin_alike(client, path, content):
    short, long = [
        await client.post(path, content=content, headers={"Content-Type": kind, "X-Request-Id": "same"})
        for kind in (PLAIN, LONG)
    ]
    assert short.status_code == long.status_code
    if short.status_code == 200:
        assert short.json().keys() == long.json().keys()
    else:
        assert short.json() == long.json()


async def test_plain_advice_takes_the_short_road_and_what_it_refuses_the_long_one(client):
    with capture_logs() as told:
        assert (await client.post("/api/advise", json={"type": "x"})).status_code == 200
        assert told == []
        assert (await client.post("/api/advise", json={"typ": "x"})).status_code == 400
        (line,) = told
    assert (line["route"], line["status"]) == ("/api/advise", 400)


async def exchange(app, messages, path="/api/advise", method="POST", content_type=PLAIN):
    """What the application answers to these messages; after the last one nothing more comes."""
    sent, waiting = [], list(messages)
    headers = [
        (b"authorization", f"Bearer {TOKEN}".encode()),
        (b"content-type", content_type.encode()),
        (b"content-length", b"20"),
    ]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "state": {},
    }  # fmt: skip

    async def receive():
        return waiting.pop(0) if waiting else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


async def test_a_body_in_pieces_is_put_together(plane, access):
    app = create_app(plane, access)
    pieces = [b'{"type":', b'"code', b'.fix"}']
    messages = [{"type": "http.request", "body": one, "more_body": one is not pieces[-1]} for one in pieces]
    status, advice = await exchange(app, messages)
    assert (status, advice["arm"] in {"acme/strong", "acme/cheap"}) == (200, True)


@pytest.mark.requirement("SERVE-08")
async def test_a_body_that_does_not_come_is_not_waited_for(plane, access, monkeypatch):
    monkeypatch.setattr("control_plane.api.lean.PATIENCE_S", 0.02)
    app = create_app(plane, access, patience=0.05)
    for kind in (PLAIN, LONG):
        status, problem = await exchange(
            app, [{"type": "http.request", "body": b'{"ty', "more_body": True}], content_type=kind
        )
        assert (status, problem["code"]) == (408, "http.request-timeout")


@pytest.mark.requirement("SERVE-08")
async def test_an_answer_that_does_not_come_is_given_up(plane, access, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(plane, "explain", lambda _: done.wait(30))
    transport = httpx.ASGITransport(create_app(plane, access, patience=0.05))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            answer = await client.get("/api/decisions/d1")
    finally:
        done.set()
    assert (answer.status_code, answer.json()["code"]) == (503, "http.timeout")
    assert answer.headers["retry-after"] == "1"


async def test_what_the_plane_refuses_is_refused_once_and_writes_nothing(client, plane, monkeypatch):
    def full(_):
        raise ControlPlaneError("the journal is full")

    before = plane.ledger.size()
    with monkeypatch.context() as patch:
        patch.setattr(plane, "advise", full)
        answer = await client.post("/api/advise", json={"type": "x"})
    assert answer.json()["code"] == "control-plane"
    plane.flush()
    assert plane.ledger.size() == before

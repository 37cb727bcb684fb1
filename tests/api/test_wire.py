"""What comes over a real socket: heads that never end, heads that are too large, what is no HTTP at all."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
import uvicorn

from control_plane.api.app import create_app
from control_plane.api.protocol import Bounded
from control_plane.api.serving import listening
from tests.api.conftest import TOKEN

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def served(app) -> AsyncIterator[int]:
    """A server in this process, with the protocol of the real one; the port."""
    sock = listening("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none", http=Bounded)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    running = asyncio.create_task(server._serve([sock]))
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def said(port: int, *parts: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
    finally:
        writer.close()


@pytest.mark.requirement("SERVE-08")
@pytest.mark.parametrize(
    "begun", [b"", b"POST /api/advise HTTP/1.1\r\nHost: localhost\r\nAuthor"], ids=["nothing", "half a head"]
)
async def test_who_does_not_say_what_he_wants_is_not_waited_for(plane, access, monkeypatch, begun):
    monkeypatch.setattr("control_plane.api.protocol.HEAD_S", 0.1)
    async with served(create_app(plane, access)) as port:
        assert await said(port, begun) == b""


async def test_who_stops_in_a_second_head_is_not_waited_for(plane, access, monkeypatch):
    monkeypatch.setattr("control_plane.api.protocol.HEAD_S", 0.1)
    async with served(create_app(plane, access)) as port:
        answer = await said(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x00\x01\x02\r\n\r\n", 400, "http.malformed"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "http.malformed"),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * (70 << 10), 431, "http.head-too-large"),
    ],
    ids=["noise", "header without a colon", "endless header"],
)
async def test_what_is_no_request_gets_the_same_coded_answer_each_time(plane, access, sent, status, code):
    async with served(create_app(plane, access)) as port:
        for _ in range(3):
            head, _, body = (await said(port, sent)).partition(b"\r\n\r\n")
            assert (int(head.split()[1]), json.loads(body)["code"]) == (status, code)


@pytest.mark.parametrize("more", [b"a: b\r\n" * 2000, b"a" * 12_000], ids=["many short lines", "one that never ends"])
async def test_what_follows_the_last_chunk_is_bounded_like_a_head(plane, access, more):
    """Without any token: what was sent there was kept, twenty times as large, and waited for."""
    begun = b"POST /api/advise HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    async with served(create_app(plane, access)) as port:
        await said(port, begun, *[more] * 100)


async def test_a_body_in_chunks_with_something_after_it_is_read(plane, access):
    one = (
        b"POST /api/advise HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        b"Content-Type: application/json\r\n"
        b'Transfer-Encoding: chunked\r\n%%s\r\n9\r\n{"type":"\r\na\r\ncode.fix"}\r\n0\r\nX-Sum: 1\r\n\r\n'
        % TOKEN.encode()
    )
    async with served(create_app(plane, access)) as port:
        answer = await said(port, one % b"", one % b"Connection: close\r\n")
    assert answer.count(b"HTTP/1.1 200") == 2


async def test_a_connection_serves_many_requests(plane, access):
    body = b'{"type":"code.fix"}'
    one = (
        b"POST /api/advise HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n" % (TOKEN.encode(), len(body))
    )
    async with served(create_app(plane, access)) as port:
        answer = await said(port, *[one + b"\r\n" + body] * 5, one + b"Connection: close\r\n\r\n" + body)
    assert answer.count(b"HTTP/1.1 200") == 6

"""A stream lasts no longer than the token that opened it, and one token opens so many and no more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from control_plane.access.revoking import revoke
from control_plane.api.app import create_app
from control_plane.api.streams import MOST_STREAMS
from tests.access.conftest import TOKEN
from tests.access.issuing import claims, signed
from tests.access.test_tokens import refusals
from tests.api.test_wire import served
from tests.bridge.conftest import BOSS, EXEC

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port(plane, access) -> AsyncIterator[int]:
    async with served(create_app(plane, access)) as port:
        yield port


@pytest.fixture
def thread(plane) -> str:
    asked = b'{"workspace_id":"w1","title":"T","type":"workflow","participants":["exec"]}'
    return str(plane.bridge.call("create_thread", BOSS, asked)["thread_id"])


def of_exec(clock, **more) -> str:
    return signed(claims(clock.now(), role="participant", agent_id="exec", workspace_id="w1", **more))


@contextlib.asynccontextmanager
async def stream(port: int, path: str, token: str) -> AsyncIterator[tuple[bytes, asyncio.StreamReader]]:
    """Its head, and what comes after."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        if b"event-stream" in head:
            await asyncio.wait_for(reader.readuntil(b": here\n\n"), 20)
        yield head, reader
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Everything until the chunk that ends the answer."""
    return await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 20)


def say(plane, thread: str, body: str) -> None:
    plane.bridge.call("post_message", EXEC, f'{{"thread_id":"{thread}","kind":"chat","body":"{body}"}}'.encode())


@pytest.mark.parametrize("over", ["revoked", "expired"])
async def test_who_is_let_in_no_more_is_told_no_more(plane, access, clock, port, thread, over):
    reads, writes = signed(claims(clock.now(), role="viewer", jti="a")), of_exec(clock, jti="b")
    async with stream(port, "/api/events", reads) as (_, log), stream(
        port, f"/v1/threads/{thread}/messages", writes
    ) as (_, messages):  # fmt: skip
        say(plane, thread, "before")
        assert b"before" in await asyncio.wait_for(messages.readuntil(b"before"), 20)
        assert b"before" in await asyncio.wait_for(log.readuntil(b"before"), 20)
        if over == "revoked":
            for jti in ("a", "b"):
                revoke(plane.ledger, jti, actor="ann", reason="stolen")
        else:
            clock.pass_by(631)
        say(plane, thread, "after")
        for told in (await rest(log), await rest(messages)):
            assert b'event: end\ndata: {"code":"access.unauthorized"}' in told
            assert b"after" not in told
    assert {one.reason for one in refusals(plane)} == {over}


async def test_a_stream_in_which_nothing_happens_ends_with_its_token(plane, clock, port, thread):
    now = clock.now()
    viewer = signed(claims(now, role="viewer", exp=now - 29.5))
    async with stream(port, "/api/events", viewer) as (_, log):
        assert b"event: end" in await rest(log)
    async with stream(port, f"/v1/threads/{thread}/messages", of_exec(clock, exp=now - 29.5)) as (_, messages):
        assert b"event: end" in await rest(messages)


async def test_one_token_keeps_so_many_streams_open_and_no_more(clock, port, thread):
    path, mine = f"/v1/threads/{thread}/messages", of_exec(clock, jti="mine")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MOST_STREAMS):
            head, _ = await stack.enter_async_context(stream(port, path, mine))
            assert head.startswith(b"HTTP/1.1 200")
        for place, code in ((path, b'"RATE_LIMITED"'), ("/api/events", b'"http.too-many-streams"')):
            async with stream(port, place, mine) as (head, reader):
                assert head.startswith(b"HTTP/1.1 429")
                assert code in await asyncio.wait_for(reader.readuntil(code), 20)
        async with stream(port, path, of_exec(clock, jti="another")) as (head, _):
            assert head.startswith(b"HTTP/1.1 200")
        async with stream(port, "/api/events", TOKEN) as (head, _):
            assert head.startswith(b"HTTP/1.1 200")
    # Those that ended count no more.
    async with asyncio.timeout(20):
        while True:
            async with stream(port, path, mine) as (head, _):
                if head.startswith(b"HTTP/1.1 200"):
                    return

"""The stream of what happens: it tells what is committed, says what it left out, and leaves nothing behind."""

import asyncio
import json
import os
import resource
import socket
from pathlib import Path

import httpx
import pytest

from control_plane.api.app import create_app
from control_plane.api.stream import MOST_WAITING, Hub
from tests.api.conftest import TOKEN
from tests.api.test_wire import served

HEAD = f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()


@pytest.mark.anyio
async def test_a_commit_is_told_to_who_watches(plane, access):
    hub = Hub()
    async with served(create_app(plane, access, hub)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        await reader.readuntil(b": here\n\n")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
            advice = (await client.post("/api/advise", json={"type": "code.fix"})).json()
        await asyncio.to_thread(plane.flush)
        told = b""
        while b"router.advice-given" not in told:
            told = await asyncio.wait_for(reader.readuntil(b"\n\n"), 20)
        data = json.loads(told.split(b"data: ")[1].split(b"\n")[0])
        assert data["fact"]["decision"] == advice["decision_id"]
        writer.close()


@pytest.mark.anyio
async def test_who_is_slow_is_told_how_much_he_missed():
    hub = Hub()
    watcher = hub.watch()
    watcher.take([(number, "t", b"{}") for number in range(MOST_WAITING + 7)], MOST_WAITING + 7)
    told = watcher.events()
    assert await anext(told) == b": here\n\n"
    assert await anext(told) == b'event: missed\ndata: {"count":7}\n\n'
    assert (await anext(told)).startswith(b"id: 7\n")
    await told.aclose()
    assert len(hub) == 0


def open_and_close(port: int) -> None:
    """One stream: its head, its first words, gone without a word."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD)
        got = b""
        while b": here" not in got:
            part = connection.recv(4096)
            assert part, got
            got += part


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def resident_kb() -> int:
    """As it is now on Linux, as it was at most elsewhere."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def left_behind(plane, access, streams: int, warm_up: int) -> tuple[int, int, int]:
    """Watchers, descriptors and kilobytes more than before so many streams were opened and closed."""
    hub = Hub()
    async with served(create_app(plane, access, hub)) as port:

        async def many(count: int) -> None:
            for _ in range(count):
                await asyncio.to_thread(open_and_close, port)
            for _ in range(1_000_000):
                if not len(hub):
                    break
                await asyncio.sleep(0)

        await many(warm_up)
        files, memory = descriptors(), resident_kb()
        await many(streams)
        return len(hub), descriptors() - files, resident_kb() - memory


@pytest.mark.anyio
async def test_three_hundred_streams_leave_nothing_behind(plane, access):
    watchers, files, memory = await left_behind(plane, access, 300, 50)
    assert watchers == 0
    assert files <= 3
    assert memory <= 4096


@pytest.mark.long
@pytest.mark.anyio
@pytest.mark.requirement("SERVE-57")
async def test_ten_thousand_streams_leave_nothing_behind(plane, access):
    watchers, files, memory = await left_behind(plane, access, 10_000, 1_000)
    print(f"10,000 streams left {watchers} watchers, {files} descriptors, {memory} kB")
    assert watchers == 0
    assert files <= 3
    assert memory <= 4096

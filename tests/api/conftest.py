"""The application over a real plane in a home of its own: called in this process, or served by a process of its own."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from control_plane import Arm, ControlPlane
from control_plane.access.tokens import Access
from control_plane.api.app import create_app
from control_plane.proving import HandClock

TOKEN = "the-token-of-this-home"
ARMS = (Arm("acme/strong", prior=0.7), Arm("acme/cheap", prior=0.5))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def plane(tmp_path: Path, clock: HandClock) -> Iterator[ControlPlane]:
    with ControlPlane.open(tmp_path / "home", catalogue=ARMS, clock=clock, background=False) as plane:
        yield plane


@pytest.fixture
def access(clock: HandClock) -> Access:
    return Access(lambda: TOKEN, {}, clock.now)


@pytest.fixture
async def client(plane: ControlPlane, access: Access) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(plane, access), raise_app_exceptions=False)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client


class Served(NamedTuple):
    process: subprocess.Popen[str]
    url: str
    token: str
    home: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=20)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """`control-plane serve` as a process; killed at the end if it is still there."""
    with ExitStack() as stack:

        def served(*words: str) -> Served:
            home = tmp_path / "served"
            command = [sys.executable, "-m", "control_plane", "--home", str(home), "serve", "--port", "0", "--json"]
            log = stack.enter_context((tmp_path / "serve.log").open("w"))
            process = stack.enter_context(
                subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            return Served(process, told["url"], Path(told["token_file"]).read_text().strip(), home)

        yield served

"""A plane behind its door, which believes one issuer and one token of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from control_plane import Arm, ControlPlane
from control_plane.access.projection import ACCESS
from control_plane.access.tokens import Access
from control_plane.api.app import create_app
from control_plane.proving import HandClock
from tests.access.issuing import NAME, issuer

TOKEN = "the-token-of-this-home-which-nobody-may-see"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def plane(tmp_path: Path, clock: HandClock) -> Iterator[ControlPlane]:
    arms = (Arm("acme/strong", prior=0.7), Arm("acme/cheap", prior=0.5))
    with ControlPlane.open(tmp_path / "home", catalogue=arms, clock=clock, background=False) as plane:
        yield plane


@pytest.fixture
def access(plane: ControlPlane, clock: HandClock) -> Access:
    revoked = plane.folder.state(ACCESS).revoked
    return Access(lambda: TOKEN, {NAME: issuer()}, clock.now, revoked.__contains__)


@pytest.fixture
async def client(plane: ControlPlane, access: Access) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(plane, access), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client

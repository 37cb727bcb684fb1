"""The official client against real processes: `control-plane mcp` over its pipes, `control-plane serve` over HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from control_plane import Arm, ControlPlane

NOTE = "The database tests need DATABASE_URL"
POLICY = 'name = "careful"\n[router]\nsuccess_value_usd = 5.0\n'
ISSUER = "https://issuer.example"
PROGRAM = [sys.executable, "-m", "control_plane"]

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one note and one policy."""
    return furnished(tmp_path / "home")


def furnished(home: Path) -> Path:
    with ControlPlane.open(home, catalogue=[Arm("acme/one"), Arm("acme/two")], background=False) as plane:
        plane.memory.remember(NOTE)
        plane.policies.propose(POLICY, actor="ann", reason="tried")
    return home


def environment(folder: Path) -> dict[str, str]:
    """What a child gets: a witness beside its home, whoever starts it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENCODE_")}
    return inherited | {"CONTROL_PLANE_WITNESS": str(folder / "witness"), "XDG_STATE_HOME": str(folder / "state")}


@pytest.fixture
def stdio(home: Path, tmp_path: Path) -> Connect:
    @asynccontextmanager
    async def connect(*words: str, mode: str = "auto") -> AsyncIterator[Client]:
        arguments = [*PROGRAM[1:], "--home", str(home), "mcp", *words]
        parameters = StdioServerParameters(command=PROGRAM[0], args=arguments, env=dict(os.environ), cwd=str(tmp_path))
        with (tmp_path / "stderr").open("w") as errors:
            async with Client(stdio_client(parameters, errlog=errors), mode=mode) as client:
                yield client
        assert "Traceback" not in (tmp_path / "stderr").read_text()

    return connect


class Served(NamedTuple):
    process: subprocess.Popen[str]
    url: str
    token: str
    home: Path
    key: OKPKey

    def issued(self, role: str, **more: str) -> str:
        """A JWT of the issuer whose keys the server was given."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "control-plane", "sub": role, "role": role, "jti": f"{role}-{now}",
                  "iat": now, "exp": now + 600} | more  # fmt: skip
        return jwt.encode({"alg": "Ed25519", "kid": self.key.kid}, claims, self.key, algorithms=["Ed25519"])

    @asynccontextmanager
    async def connect(self, token: str | None = None, *, mode: str = "auto") -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http), mode=mode) as client,
        ):
            yield client


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of this folder; it ends by SIGTERM and has to end well."""
    folder = tmp_path_factory.mktemp("served")
    home, key = furnished(folder / "home"), OKPKey.generate_key("Ed25519", auto_kid=True)
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    words = ["--home", str(home), "serve", "--port", "0", "--json", "--jwks", str(jwks), "--issuer", ISSUER]
    with (folder / "log").open("w") as log, subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment(folder)
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield Served(process, told["url"], Path(told["token_file"]).read_text().strip(), home, key)
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert "Traceback" not in (folder / "log").read_text()


class Talk(NamedTuple):
    client: Client
    home: Path

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    async def refused(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        assert isinstance(result.structured_content, dict)
        assert result.structured_content["code"] in result.content[0].text
        return result.structured_content


@pytest.fixture(params=["stdio", "http"])
async def talk(request: pytest.FixtureRequest, stdio: Connect, home: Path, served: Served) -> AsyncIterator[Talk]:
    if request.param == "stdio":
        async with stdio() as client:
            yield Talk(client, home)
    else:
        async with served.connect() as client:
            yield Talk(client, served.home)


def facts_of(home: Path, topic: str) -> list[Any]:
    """What the log of this home holds under a topic."""
    with ControlPlane.open(home, background=False) as plane:
        rows = plane.ledger.rows(0, 100_000)
        return [plane.ledger.decoded(row).event for row in rows if row[3] == topic]

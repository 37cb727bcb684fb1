"""Who asks under a name that is not this server's, or from a page of another site, is refused at every route."""

import httpx
import pytest

from control_plane.api.app import create_app
from tests.api.conftest import TOKEN

pytestmark = pytest.mark.anyio

FOREIGN = ("http://evil.example", "null", "http://localhost.evil.example", "http://10.0.0.1", "http://[", "x")
OURS = ("http://localhost:3000", "http://127.0.0.1", "http://[::1]:8787")


async def routes(client):
    description = (await client.get("/schema/openapi.json")).json()
    found = [(verb, path) for path, verbs in description["paths"].items() for verb in verbs]
    return [(verb, path.replace("{", "").replace("}", "")) for verb, path in found] + [("post", "/v1/mcp/get_thread")]


async def test_a_page_of_another_site_changes_nothing_at_any_route(client):
    writes = [one for one in await routes(client) if one[0] != "get"]
    assert len(writes) > 8
    for verb, path in writes:
        for origin in FOREIGN:
            answer = await client.request(verb, path, json={}, headers={"Origin": origin})
            assert answer.status_code == 403, (verb, path, origin, answer.text)
            assert "another site" in answer.text
    for origin in OURS:
        answer = await client.post("/api/advise", json={"type": "code.fix"}, headers={"Origin": origin})
        assert answer.status_code == 200, origin


async def test_a_name_that_is_not_ours_is_answered_nowhere(client):
    for verb, path in [*await routes(client), ("get", "/"), ("get", "/metrics"), ("get", "/assets/page.js")]:
        for host in ("evil.example", "evil.example:8787", "localhost.evil.example", "192.168.1.7", "a b", "[", "@x"):
            answer = await client.request(verb, path, headers={"Host": host})
            assert answer.status_code == 403, (verb, path, host, answer.text)
    for host in ("localhost:8787", "127.0.0.1", "127.0.0.2:1", "[::1]:8787"):
        assert (await client.get("/health", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    ("names", "host", "status"),
    [
        (["Plane.acme.example"], "plane.ACME.example:443", 200), (["plane.acme.example"], "acme.example", 403),
        (["10.1.2.3"], "10.1.2.3:8787", 200), (["10.1.2.3"], "10.1.2.4", 403),
        (["0.0.0.0"], "10.1.2.4:8787", 200), (["0.0.0.0"], "evil.example", 403), (["::"], "[fe80::1]", 200),
    ],
)  # fmt: skip
async def test_names_and_addresses_that_an_operator_gave_are_ours(plane, access, names, host, status):
    transport = httpx.ASGITransport(create_app(plane, access, names=names))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        headers = {"Host": host, "Origin": f"https://{host}", "Authorization": f"Bearer {TOKEN}"}
        assert (await client.post("/api/advise", json={"type": "x"}, headers=headers)).status_code == status

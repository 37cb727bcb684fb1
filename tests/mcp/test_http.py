"""`/mcp` of `control-plane serve`: the same door as everything else, and nothing left open."""

import httpx2
import pytest
from mcp import MCPError

from tests.mcp.conftest import Served, facts_of

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def asked(served: Served, token: str | None, **more: str) -> httpx2.Response:
    headers = ACCEPT | more | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return httpx2.post(f"{served.url}/mcp", headers=headers, json=LIST, timeout=30)


@pytest.mark.requirement("SERVE-41")
def test_without_a_token_nobody_is_heard(served: Served) -> None:
    for token in (None, "wrong", served.issued("nobody")):
        answer = asked(served, token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "access.unauthorized"
    assert asked(served, served.token).status_code == 200
    assert "/mcp" in {fact.path for fact in facts_of(served.home, "access.refused")}


@pytest.mark.anyio
async def test_the_official_client_hears_that_it_is_not_let_in(served: Served) -> None:
    with pytest.raises((MCPError, httpx2.HTTPStatusError, ExceptionGroup)):
        async with served.connect("wrong"):
            pass


@pytest.mark.anyio
async def test_each_request_may_do_what_its_own_token_may(served: Served) -> None:
    async with served.connect(served.issued("viewer")) as viewer, served.connect(
        served.issued("participant")
    ) as participant:  # fmt: skip
        refused = await viewer.call_tool("advise", {"type": "code.fix"})
        assert refused.structured_content is not None
        assert refused.structured_content["code"] == "access.forbidden"
        assert not (await viewer.call_tool("health", {})).is_error
        assert not (await participant.call_tool("advise", {"type": "code.fix"})).is_error


def test_a_page_of_another_site_may_not_ask(served: Served) -> None:
    refused = asked(served, served.token, Origin="https://evil.example")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.forbidden")
    assert asked(served, served.token, Origin="null").status_code == 403
    assert asked(served, served.token, Origin="http://127.0.0.1:6274").status_code == 200
    assert asked(served, served.token, Origin="http://localhost").status_code == 200


def test_what_is_no_request_is_refused_and_no_stream_stays_open(served: Served) -> None:
    url, headers = f"{served.url}/mcp", ACCEPT | {"Authorization": f"Bearer {served.token}"}
    for method in ("GET", "DELETE", "PUT"):
        answer = httpx2.request(method, url, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (405, "http.method-not-allowed")
    headers["Content-Type"] = "application/json"
    assert httpx2.post(url, headers=headers, content=b"{", timeout=30).status_code == 400
    assert httpx2.post(url, headers=headers, content=b"[" * 10_000, timeout=30).status_code == 400
    assert httpx2.post(url, headers=headers, content=b" " * (1 << 20) + b"{}", timeout=30).status_code == 413


def test_a_request_is_named_in_the_log_and_counted(served: Served) -> None:
    answer = asked(served, served.token, **{"X-Request-Id": "r-17"})
    assert answer.headers["x-request-id"] == "r-17"
    counted = httpx2.get(f"{served.url}/metrics", timeout=30).text
    assert 'route="/mcp"' in counted

"""`/mcp` of `control-plane serve`: the same door as everything else, and nothing left open."""

import json
import random

import httpx2
import pytest
from mcp import MCPError

from tests.mcp.conftest import Served, facts_of

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def asked(served: Served, token: str | None, **more: str) -> httpx2.Response:
    headers = ACCEPT | more | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return httpx2.post(f"{served.url}/mcp", headers=headers, json=LIST, timeout=30)


VALUES = (None, True, 0, -1, 2**70, 1e308, "", "x" * 5000, "\ud800", "\x00", [], {}, [[[]]], {"a": {"b": 1}},
          "code.fix", float("nan"), "../../x", "decision://")  # fmt: skip
NAMES = ("type", "decision_id", "query", "k", "kind", "envelope", "lesson", "success", "files", "task", "arm", "error")
METHODS = (*("tools/call",) * 5, "resources/read", "resources/list", "initialize", "ping", "no/method", 3)
TOOLS = ("advise", "record_result", "explain", "search_memory", "learn", "health", "none", None)


def nonsense(rng: random.Random) -> bytes:
    """A request that is no request, or one whose arguments are not what a tool takes."""
    arguments = {rng.choice(NAMES): rng.choice(VALUES) for _ in range(rng.randrange(5))}
    params = {"name": rng.choice(TOOLS), "arguments": arguments, "uri": rng.choice(VALUES)}
    number = rng.choice((1, "a", None, 1.5, {}))
    body = {"jsonrpc": "2.0", "id": number, "method": rng.choice(METHODS), "params": params}
    raw = json.dumps([body] if rng.random() < 0.05 else body).encode()
    return raw[: rng.randrange(len(raw))] if rng.random() < 0.1 else raw


def test_nonsense_is_refused_the_same_way_each_time_and_never_as_a_defect(served: Served) -> None:
    rng, kinds = random.Random(17), set[int]()
    headers = ACCEPT | {"Authorization": f"Bearer {served.token}", "Content-Type": "application/json"}
    with httpx2.Client(timeout=30) as http:
        for _ in range(150):
            body = nonsense(rng)
            first, second = (http.post(f"{served.url}/mcp", headers=headers, content=body) for _ in range(2))
            assert first.status_code == second.status_code < 500, body
            assert "[internal]" not in first.text, body
            assert "-32603" not in first.text, body
            if first.status_code >= 400:
                assert first.json()["error"]["code"] == second.json()["error"]["code"], body
            kinds.add(first.status_code)
    assert kinds >= {200, 400}


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


@pytest.mark.anyio
async def test_a_token_that_names_no_agent_speaks_for_nobody(served: Served) -> None:
    """Its `sub` is no agent: over HTTP it is refused as well."""
    asked = {"workspace_id": "w1", "title": "T", "type": "workflow", "participants": ["coordinator"]}
    async with served.connect(served.issued("coordinator", workspace_id="w1")) as client:
        refused = await client.call_tool("create_thread", asked)
        assert refused.structured_content is not None
        assert refused.structured_content["code"] == "bridge.unauthorized"


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

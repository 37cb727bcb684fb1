"""The OpenAPI document: every route of the contract, every refusal, an example of every body that is taken as such."""

import pytest
from jsonschema import Draft202012Validator

from control_plane.bridge.requests import REQUESTS

pytestmark = pytest.mark.anyio

CONTRACT = {
    "get": (
        "/health", "/ready", "/metrics", "/api/health", "/api/orchestration", "/api/decisions/{decision_id}",
        "/api/policies", "/api/policies/{name}", "/api/policy-review", "/api/flags", "/api/ledger/checkpoint",
        "/api/events", "/v1/threads/{thread}/messages",
    ),
    "post": (
        "/api/advise", "/api/results", "/api/orchestration/policy-sim", "/api/policies",
        "/api/policies/{name}/advance", "/api/policies/{name}/rollback", "/api/policy-review/{item}",
        "/api/flags/{name}",
        *(f"/v1/mcp/{method}" for method in REQUESTS),
    ),
}  # fmt: skip


@pytest.fixture
async def description(client):
    answer = await client.get("/schema/openapi.json", headers={"Authorization": ""})
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    return answer.json()


def operations(description):
    return {(verb, path): told for path, verbs in description["paths"].items() for verb, told in verbs.items()}


@pytest.mark.requirement("SERVE-01", "SERVE-02")
async def test_every_route_of_the_contract_is_there(client, description):
    found = operations(description)
    assert {(verb, path) for verb, paths in CONTRACT.items() for path in paths} <= found.keys()
    assert (await client.get("/")).headers["content-type"].startswith("text/html")
    assert (await client.get("/mcp")).status_code == 405


@pytest.mark.requirement("SERVE-03")
async def test_each_body_and_each_answer_has_an_example_that_fits_its_schema(description):
    assert description["openapi"].startswith("3.1")
    bodies = answers = 0
    for place, operation in operations(description).items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            bodies += 1
            check(description, body, place)
        answer = operation["responses"].get("200", {}).get("content", {}).get("application/json")
        if answer is not None:
            answers += 1
            check(description, answer, place)
    assert bodies >= 9
    assert answers >= 18


def check(description, told, place):
    schema = {**told["schema"], "components": description["components"]}
    faults = [fault.message for fault in Draft202012Validator(schema).iter_errors(told["example"])]
    assert faults == [], place


@pytest.mark.requirement("SERVE-03")
async def test_the_examples_that_stand_alone_are_accepted_as_they_are(client, description):
    for place in (("post", "/api/advise"), ("post", "/api/results"), ("post", "/api/policies"),
                  ("post", "/api/orchestration/policy-sim")):  # fmt: skip
        body = operations(description)[place]["requestBody"]["content"]["application/json"]["example"]
        answer = await client.post(place[1], json=body)
        assert answer.status_code == 200, (place, answer.text)


@pytest.mark.requirement("SERVE-04", "SERVE-10")
@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/api/advise", {"type": 3}, "type"),
        ("/api/advise", {"type": "x", "budget_usd": "much"}, "budget_usd"),
        ("/api/advise", {"type": "x", "files": ["a", 1]}, "files[1]"),
        ("/api/results", {"arm": "acme/cheap", "task": {"type": None}}, "task.type"),
        ("/api/policies/p/advance", {"reason": "why", "share": 1.5}, "share"),
        ("/api/orchestration/policy-sim", {"policy": {"p95_ms": -1}}, "policy.p95_ms"),
    ],
)
async def test_what_does_not_fit_is_named_by_its_field(client, path, body, key):
    answer = await client.post(path, json=body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    (fault,) = problem["errors"]
    assert fault["key"] == key
    assert fault["message"]


@pytest.mark.requirement("SERVE-05")
async def test_every_answer_carries_the_id_of_its_request(client):
    seen = set()
    for path in ("/health", "/api/flags", "/api/nowhere", "/schema/openapi.json", "/assets/none.js", "/mcp"):
        given = (await client.get(path)).headers["x-request-id"]
        assert given not in seen
        seen.add(given)
    for bad in ("a\tb", "x" * 129, "é"):
        headers = {"X-Request-Id": bad.encode("latin-1")}
        assert len((await client.get("/health", headers=headers)).headers["x-request-id"]) == 26

"""Who may call what: every role at every route."""

import pytest

from control_plane.access.tokens import ROLES, WRITES
from tests.access.issuing import claims, signed

pytestmark = pytest.mark.anyio

# The least that a route asks; whatever is not named here is for reading, and so for everybody who is let in.
LEAST = {
    ("post", "/api/advise"): "participant",
    ("post", "/api/results"): "participant",
    ("post", "/api/policies"): "operator",
    ("post", "/api/policies/{name}/advance"): "operator",
    ("post", "/api/policies/{name}/rollback"): "operator",
    ("post", "/api/policy-review/{item}"): "operator",
    ("post", "/api/flags/{name}"): "admin",
    ("post", "/api/orchestration/policy-sim"): "operator",
    ("post", "/api/tokens/{jti}/revoke"): "admin",
    ("post", "/api/runs/{run}/stop"): "operator",
}
BODIES = {
    "/api/advise": {"type": "x"},
    "/api/results": {"arm": "acme/cheap", "success": True},
    "/api/policies": {"document": "a = 1", "reason": "why"},
    "/api/policies/{name}/advance": {"reason": "why"},
    "/api/policies/{name}/rollback": {"reason": "why"},
    "/api/policy-review/{item}": {"verdict": "approved"},
    "/api/flags/{name}": {"value": "true", "reason": "why"},
    "/api/orchestration/policy-sim": {},
    "/api/tokens/{jti}/revoke": {"reason": "why"},
}
# What shows the whole log, with the messages of every workspace, is not for who takes part in some threads only.
WHOLE_LOG = (
    "/api/events", "/api/ledger/events/{position}", "/api/panels", "/api/panels/events", "/api/dogfood/runs",
    "/api/runs", "/api/runs/{run}",
)  # fmt: skip
# Endless by nature, asked in tests/api/test_stream.py.
STREAMS = ("/api/events",)
# Rooms that prove by themselves who may call them.
ELSEWHERE = ("/v1/mcp", "/mcp", "/api/guard", "/api/opencode", "/api/turns")


@pytest.mark.requirement("SERVE-13")
@pytest.mark.parametrize("role", sorted(ROLES))
async def test_each_role_may_do_what_it_is_for_and_nothing_more(client, clock, role):
    headers = {"Authorization": f"Bearer {signed(claims(clock.now(), role=role))}"}
    description = (await client.get("/schema/openapi.json")).json()
    routes = {(verb, path) for path, verbs in description["paths"].items() for verb in verbs}
    assert LEAST.keys() <= routes
    for verb, path in sorted(routes):
        if path in STREAMS or (verb != "get" and (verb, path) not in LEAST):
            continue
        answer = await client.request(verb, path.replace("{position}", "1").replace("{", "").replace("}", ""),
                                      json=BODIES.get(path), headers=headers)  # fmt: skip
        if verb == "get":
            allowed = path not in WHOLE_LOG or role not in ("participant", "coordinator")
        else:
            allowed = WRITES[role] >= WRITES[LEAST[verb, path]]
        assert (answer.status_code != 403) is allowed, (verb, path, answer.text)
        if not allowed:
            assert answer.json()["code"] == "access.forbidden"


@pytest.mark.parametrize("role", ["participant", "coordinator"])
async def test_the_stream_of_the_whole_log_is_not_for_those_in_some_threads(client, clock, role):
    headers = {"Authorization": f"Bearer {signed(claims(clock.now(), role=role))}"}
    answer = await client.get("/api/events", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "access.forbidden")


@pytest.mark.parametrize("role", ["auditor", "viewer", "admin"])
async def test_a_token_of_one_workspace_does_not_read_the_whole_log(client, clock, role):
    headers = {"Authorization": f"Bearer {signed(claims(clock.now(), role=role, workspace_id='w1'))}"}
    for path in WHOLE_LOG:
        answer = await client.get(path.replace("{position}", "1"), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "access.forbidden"), path


async def test_no_route_that_writes_is_left_out_of_the_table(client):
    description = (await client.get("/schema/openapi.json")).json()
    writes = {(verb, path) for path, verbs in description["paths"].items() for verb in verbs if verb != "get"}
    assert {one for one in writes if not one[1].startswith(ELSEWHERE)} == set(LEAST)

"""The routes of the contract: what they answer, and that bad input gets the same coded refusal every time."""

import base64
import hashlib
import json

import pytest

from control_plane.ledger.notes import Note
from control_plane.ledger.proofs import root_from_inclusion

pytestmark = pytest.mark.anyio


async def test_advice_result_and_explanation(client, plane):
    advice = (await client.post("/api/advise", json={"type": "code.fix", "repo": "acme/api"})).json()
    assert advice["arm"] in {"acme/strong", "acme/cheap"}
    told = {
        "decision_id": advice["decision_id"],
        "success": True,
        "latency_ms": 12.5,
        "cost_usd": 0.01,
        "tokens_in": 900,
    }
    assert (await client.post("/api/results", json=told)).json() == {"recorded": True}
    explained = (await client.get(f"/api/decisions/{advice['decision_id']}")).json()
    assert (explained["arm"], explained["repeated"]) == (advice["arm"], True)
    plane.flush()
    assert plane.stats().arms[advice["arm"]].successes == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/advise", {"typ": "x"}, 400, "input.invalid"),
        ("/api/advise", {}, 400, "input.invalid"),
        ("/api/advise", {"type": 3}, 400, "input.invalid"),
        ("/api/advise", {"type": ""}, 400, "input.invalid"),
        ("/api/advise", {"type": "x", "candidates": []}, 400, "input.invalid"),
        ("/api/advise", {"type": "x", "override": "nobody"}, 400, "router.unknown-arm"),
        ("/api/results", {"decision_id": "forged", "success": True}, 404, "router.unknown-decision"),
        ("/api/results", {"arm": "acme/cheap", "task": {"type": "x"}, "latency_ms": -1}, 400, "input.invalid"),
        ("/api/results", {"arm": "acme/cheap", "task": {"type": "x"}, "step": 7}, 400, "router.unknown-step"),
        ("/api/policies", {"document": "a = 1", "reason": "why"}, 400, "policy.invalid"),
        ("/api/policies/none/advance", {"reason": "why"}, 404, "policy.unknown"),
        ("/api/policies/none/rollback", {"reason": "why"}, 404, "policy.unknown"),
        ("/api/policy-review/none", {"verdict": "approved"}, 404, "review.not-waiting"),
        ("/api/flags/NOBODY", {"value": "true", "reason": "why"}, 400, "settings.invalid"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_written(client, plane, path, body, status, code):
    before = plane.ledger.size()
    for _ in range(3):
        answer = await client.post(path, json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["request_id"] == answer.headers["x-request-id"]
    plane.flush()
    assert plane.ledger.size() == before


@pytest.mark.requirement("SERVE-53")
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null", b"[]", b'"x"', b"9" * 5000, b"[" * 100_000])
async def test_malformed_bursts_get_the_same_answer_each_time(client, content):
    answers = [
        await client.post("/api/advise", content=content, headers={"Content-Type": "application/json"})
        for _ in range(20)
    ]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(400, "input.invalid")}


@pytest.mark.requirement("SERVE-07")
async def test_a_body_that_is_too_large_is_refused(client):
    answer = await client.post("/api/advise", json={"type": "x", "description": "d" * (2 << 20)})
    assert answer.status_code == 413


async def test_nothing_but_the_open_paths_answers_without_a_token(client):
    for path in ("/api/health", "/api/flags", "/api/policies", "/api/events", "/api/ledger/checkpoint", "/api/nowhere"):
        answer = await client.get(path, headers={"Authorization": "Bearer wrong"})
        assert (answer.status_code, answer.json()["code"]) == (401, "access.unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/health", "/ready", "/metrics", "/schema/openapi.json"):
        assert (await client.get(path, headers={"Authorization": ""})).status_code == 200


async def test_the_head_and_an_event_are_proved_without_trusting_the_server(client, plane):
    await client.post("/api/advise", json={"type": "code.fix"})
    head = (await client.get("/api/ledger/checkpoint")).json()
    found = (await client.get(f"/api/ledger/events/{head['position']}")).json()
    leaf = hashlib.sha256(b"\x00" + base64.b64decode(found["leaf"])).digest()
    checkpoint = Note.parse(found["note"]).checkpoint()
    path = [base64.b64decode(one) for one in found["path"]]
    assert root_from_inclusion(leaf, found["position"] - 1, checkpoint.size, path) == checkpoint.root
    assert b"router.advice-given" in base64.b64decode(found["leaf"])
    assert (await client.get("/api/ledger/events/99999")).status_code == 400


async def test_health_says_why_and_never_calls_silence_healthy(client):
    health = (await client.get("/api/orchestration")).json()
    assert health["health"]["score"] <= 69
    assert health["fidelity"]["level"] == "demo"
    assert "no result was recorded yet" in health["health"]["sentence"]
    assert health["gaps"]


async def test_flags_say_where_their_values_come_from(client):
    flags = {one["name"]: one for one in (await client.get("/api/flags")).json()}
    assert flags["OPENCODE_TAIL_SLO"]["source"] == "default"
    flipped = await client.post("/api/flags/OPENCODE_TAIL_SLO", json={"value": "false", "reason": "too many alarms"})
    assert flipped.status_code == 200, flipped.text
    assert (flipped.json()["value"], flipped.json()["source"]) == ("false", "ledger")


async def test_request_ids_are_kept_when_they_are_sane(client):
    assert (await client.get("/health", headers={"X-Request-Id": "mine-1"})).headers["x-request-id"] == "mine-1"
    assert len((await client.get("/health", headers={"X-Request-Id": "x" * 500})).headers["x-request-id"]) == 26


async def test_the_description_names_every_route(client):
    paths = json.loads((await client.get("/schema/openapi.json")).text)["paths"]
    for path in (
        "/api/advise",
        "/api/results",
        "/api/decisions/{decision_id}",
        "/api/policies/{name}/advance",
        "/api/events",
    ):
        assert path in paths

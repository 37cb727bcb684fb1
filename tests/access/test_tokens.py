"""Tokens that are let in and tokens that are not: each refusal is coded, recorded, and says nothing of the token."""

import json

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from control_plane.access.events import AccessRefused
from control_plane.access.tokens import Access
from control_plane.api.app import create_app
from tests.access.conftest import TOKEN
from tests.access.issuing import (
    FOREIGN_KEY,
    claims,
    signed,
    signed_by_the_old_name,
    signed_with_the_public_key,
    unsigned,
    with_other_claims,
)

pytestmark = pytest.mark.anyio

BAD = {
    "expired": lambda now: signed(claims(now, exp=int(now) - 31)),
    "no-expiry": lambda now: signed(claims(now, exp=None)),
    "no-expiry as no number": lambda now: signed(claims(now, exp=float("nan"))),
    "no-expiry that a float can hold": lambda now: signed(claims(now, exp=10**400)),
    "no-expiry ever": lambda now: signed(claims(now, exp=float("inf"))),
    "not-yet as no number": lambda now: signed(claims(now, nbf=float("nan"))),
    "no-expiry in words": lambda now: signed(claims(now, exp="tomorrow")),
    "not-yet": lambda now: signed(claims(now, nbf=int(now) + 31)),
    "not-yet issued": lambda now: signed(claims(now, iat=int(now) + 31)),
    "foreign-key": lambda now: signed(claims(now), FOREIGN_KEY),
    "foreign-key by alg none": lambda now: unsigned(claims(now)),
    "foreign-key by HS256 with the public key": lambda now: signed_with_the_public_key(claims(now)),
    "foreign-key by other claims": lambda now: with_other_claims(signed(claims(now)), claims(now, role="admin")),
    "foreign-key by a cut signature": lambda now: signed(claims(now))[:-8],
    "foreign-key by noise": lambda _: "a.b.c",
    "wrong-audience": lambda now: signed(claims(now, aud="another-plane")),
    "wrong-audience in a list": lambda now: signed(claims(now, aud=["another-plane", "a-third"])),
    "wrong-audience by none": lambda now: signed(claims(now, aud=None)),
    "wrong-issuer": lambda now: signed(claims(now, iss="https://other.test")),
    "wrong-issuer by none": lambda now: signed(claims(now, iss=None)),
    "no-jti": lambda now: signed(claims(now, jti=None)),
    "no-jti as a number": lambda now: signed(claims(now, jti=7)),
    "no-role": lambda now: signed(claims(now, role=None)),
    "no-role that is known": lambda now: signed(claims(now, role="root")),
    "foreign": lambda _: TOKEN[:-1],
    "foreign token, longer": lambda _: TOKEN + "x",
    "not-bearer": lambda _: "x" * 9000,
}


def refusals(plane):
    plane.flush()
    return [one.event for one in plane.ledger.read() if isinstance(one.event, AccessRefused)]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.requirement("SERVE-12", "SERVE-58")
@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_token_is_refused_and_recorded(client, plane, clock, kind):
    token = BAD[kind](clock.now())
    with capture_logs() as log:
        answer = await client.post("/api/advise", json={"type": "x"}, headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (401, "access.unauthorized")
    (event,) = refusals(plane)
    assert (event.path, event.code, event.reason) == ("/api/advise", "access.unauthorized", kind.split()[0])
    assert token not in answer.text + json.dumps(log)


async def test_who_sends_another_scheme_is_told_which_one_is_wanted(client):
    answer = await client.get("/api/flags", headers={"Authorization": "Basic YW5uOnNlY3JldA=="})
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.text


@pytest.mark.requirement("SERVE-12", "SERVE-58")
async def test_another_token_with_a_jti_that_was_used_is_refused_and_recorded(client, plane, clock):
    first, second = (signed(claims(clock.now(), jti="one", sub=sub)) for sub in ("ana", "bob"))
    assert (await client.get("/api/flags", headers=bearer(first))).status_code == 200
    assert (await client.get("/api/flags", headers=bearer(second))).status_code == 401
    assert (await client.get("/api/flags", headers=bearer(first))).status_code == 200
    assert [one.reason for one in refusals(plane)] == ["replayed"]


@pytest.mark.requirement("SERVE-12")
@pytest.mark.parametrize("sign", [signed, signed_by_the_old_name])
async def test_a_good_token_is_let_in_until_it_expires(client, clock, sign):
    token = sign(claims(clock.now(), aud=["another-plane", "control-plane"]))
    assert (await client.get("/api/flags", headers=bearer(token))).status_code == 200
    clock.pass_by(629)
    assert (await client.get("/api/flags", headers=bearer(token))).status_code == 200
    clock.pass_by(2)
    assert (await client.get("/api/flags", headers=bearer(token))).status_code == 401


async def test_a_revoked_token_is_refused_from_then_on(client, plane, clock):
    token = signed(claims(clock.now(), jti="gone"))
    assert (await client.get("/api/flags", headers=bearer(token))).status_code == 200
    asked = {"reason": "its owner left"}
    assert (await client.post("/api/tokens/gone/revoke", json=asked, headers=bearer(token))).status_code == 403
    assert (await client.post("/api/tokens/gone/revoke", json=asked, headers=bearer(TOKEN))).status_code == 200
    answer = await client.get("/api/flags", headers=bearer(token))
    assert (answer.status_code, answer.json()["detail"]) == (401, "that token was revoked")
    assert [one.reason for one in refusals(plane)] == ["", "revoked"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", TOKEN, f"bearer{TOKEN}"])
async def test_what_is_no_bearer_token_is_refused(client, header):
    assert (await client.get("/api/flags", headers={"Authorization": header})).status_code == 401


@pytest.mark.requirement("SERVE-14")
async def test_without_any_token_configured_nothing_can_be_written(plane, clock):
    app = create_app(plane, Access(lambda: None, {}, clock.now))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        description = (await client.get("/schema/openapi.json")).json()
        writes = [(verb, path) for path, verbs in description["paths"].items() for verb in verbs if verb != "get"]
        assert len(writes) >= 8
        for verb, path in writes:
            answer = await client.request(verb, path.replace("{", "").replace("}", ""), json={}, headers=bearer("x"))
            assert answer.status_code == 503, path
            told = answer.json()
            # The bridge has an envelope and codes of its own.
            code = told["error"]["code"] if path.startswith("/v1/") else told["code"]
            assert code == ("INTERNAL" if path.startswith("/v1/") else "access.not-configured"), path
    (event,) = refusals(plane)
    assert event.code == "access.not-configured"


@pytest.mark.requirement("SERVE-15")
async def test_no_part_of_a_token_reaches_the_log_the_ledger_or_the_metrics(client, plane, clock):
    good, bad = signed(claims(clock.now())), signed(claims(clock.now()), FOREIGN_KEY)
    with capture_logs() as log:
        for token in (TOKEN, good, bad, TOKEN + "x"):
            await client.get("/api/flags", headers=bearer(token))
            await client.post("/api/advise", json={"type": "x"}, headers=bearer(token))
            await client.get(f"/api/decisions/{'y' * 9}?token=secret-in-a-query", headers=bearer(token))
    plane.audit.flush()
    plane.flush()
    assert len(log) > 8
    stored = b"".join(bytes(row[4]) for row in plane.ledger.rows())
    said = json.dumps(log, default=str).encode() + stored + (await client.get("/metrics")).content
    parts = [TOKEN, *(part for token in (good, bad) for part in token.split(".")[1:]), "secret-in-a-query"]
    assert [part for part in parts if part.encode() in said] == []


async def test_refusals_are_counted_by_code(client):
    for _ in range(3):
        await client.get("/api/flags", headers=bearer("wrong"))
    text = (await client.get("/metrics")).text
    (family,) = [one for one in text_string_to_metric_families(text) if one.name == "control_plane_refused"]
    counts = {one.labels["code"]: one.value for one in family.samples if one.name.endswith("_total")}
    assert counts == {"access.unauthorized": 3.0}


async def test_a_thousand_knocks_in_a_second_are_two_records(client, plane, clock):
    for _ in range(1000):
        await client.get("/api/flags", headers=bearer("wrong"))
    clock.pass_by(1.5)
    await client.get("/api/flags", headers=bearer("wrong"))
    assert [one.count for one in refusals(plane)] == [1, 1000]

"""The nine methods over HTTP: who may do what, with which token; malformed requests; the stream; the figures."""

import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from control_plane.access.issuing import FILE, NAME, issue, issuer_of
from control_plane.access.tokens import Access, Caller
from control_plane.api.app import create_app
from control_plane.api.bridge import Desk
from control_plane.bridge.requests import REQUESTS
from control_plane.bridge.service import ROLES
from control_plane.errors import LedgerUnavailable
from tests.bridge.conftest import BOSS, EXEC, REVIEWER, House
from tests.bridge.malformed import malformed

OWN = "the-token-of-this-home"
BEAT = {"session_id": "s", "runtime": "fake", "management_mode": "managed", "resumable": True, "status": "idle"}


def valid(thread: str, workspace: str = "w1") -> dict[str, dict[str, Any]]:
    """A request of each method that a coordinator of the workspace may make."""
    return {
        "create_thread": {"workspace_id": workspace, "title": "t", "type": "incident", "participants": ["exec"]},
        "get_thread": {"thread_id": thread},
        "update_thread_status": {"thread_id": thread, "status": "active", "reason": "r"},
        "summarize_thread": {"thread_id": thread},
        "post_message": {"thread_id": thread, "kind": "chat", "body": "b"},
        "read_messages": {"thread_id": thread},
        "ack_read": {"thread_id": thread, "last_read_seq": 0},
        "heartbeat_session": {"workspace_id": workspace, **BEAT},
        "trigger_participant": {
            "thread_id": thread, "target_agent_id": "reviewer", "reason": "r", "trigger_prompt": "p",
        },
    }  # fmt: skip


class Front(NamedTuple):
    house: House
    client: httpx.AsyncClient
    folder: Path

    def token(self, role: str, agent: str = "exec", workspace: str = "w1", **more: Any) -> str:
        told = {"session": "s", "now": self.house.clock.now()} | more
        return issue(self.folder, agent=agent, role=role, workspace=workspace, **told)[0]

    def forged(self, key: OKPKey | None = None, **changes: Any) -> str:
        """A token that is right but for the changes; None takes a claim away."""
        now = self.house.clock.now()
        _, claims = issue(self.folder, agent="exec", role="coordinator", workspace="w1", session="s", now=now)
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        key = key or OKPKey.import_key(json.loads((self.folder / FILE).read_bytes()))
        return jwt.encode({"alg": "Ed25519"}, claims, key, algorithms=["Ed25519"])

    async def post(self, method: str, body: Any, token: str | None = OWN, **headers: str) -> httpx.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(f"/v1/mcp/{method}", content=content, headers=headers)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def front(house: House, tmp_path: Path) -> AsyncIterator[Front]:
    issuer = issuer_of(tmp_path)
    revoked = {"revoked-one"}
    access = Access(lambda: OWN, {NAME: issuer}, house.clock.now, revoked.__contains__)
    transport = httpx.ASGITransport(create_app(house.plane, access), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Front(house, client, tmp_path)


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGE-02", "BRIDGE-39", "BRIDGE-04", "BRIDGEOPS-19", "BRIDGEOPS-78", "BRIDGEOPS-88")
@pytest.mark.requirement("BRIDGEOPS-92", "BRIDGEOPS-15", "BRIDGEOPS-28", "BRIDGEOPS-99", "BRIDGEOPS-90")
async def test_every_method_role_workspace_and_participation(front: Front) -> None:
    thread = front.house.thread("exec", "reviewer")
    in_threads = {method for method, asked in valid(thread).items() if "thread_id" in asked}
    names = {"coordinator": "coordinator", "participant": "participant", "auditor": "auditor", "admin": "coordinator",
             "operator": "coordinator", "viewer": "auditor"}  # fmt: skip
    seen = 0
    for method in REQUESTS:
        for role, bridge_role in names.items():
            for agent in ("exec", "stranger"):
                for workspace in ("w1", "w2"):
                    asked = valid(thread, "w1")[method]
                    token = front.token(role, agent, workspace)
                    answer = await front.post(method, asked, token)
                    code = answer.json().get("error", {}).get("code")
                    if bridge_role not in ROLES[method]:
                        wanted = "FORBIDDEN"
                    elif workspace == "w2":
                        wanted = "WORKSPACE_MISMATCH"
                    elif method in in_threads and agent == "stranger" and bridge_role == "participant":
                        wanted = "FORBIDDEN"
                    else:
                        wanted = None
                    assert code == wanted, (method, role, agent, workspace, answer.text)
                    status = {None: 200, "FORBIDDEN": 403, "WORKSPACE_MISMATCH": 403}[wanted]
                    assert answer.status_code == status
                    seen += 1
    assert seen == 9 * 6 * 2 * 2
    for method, asked in valid(thread).items():
        answer = await front.post(
            method, asked | {"agent_id": "reviewer", "created_by": "reviewer"}, front.token("coordinator")
        )
        takes = {"agent_id", "created_by"} & set(REQUESTS[method].__struct_fields__)
        assert answer.status_code == (403 if takes else 200), (method, answer.text)


def faults_of_a_token(front: Front) -> dict[str, Callable[[], str | None]]:
    now = front.house.clock.now()
    head, body, signature = front.forged().split(".")
    other = OKPKey.generate_key("Ed25519", auto_kid=True)
    return {
        "none": lambda: None,
        "no bearer": lambda: "",
        "garbage": lambda: "garbage",
        "expired": lambda: front.forged(exp=int(now) - 60),
        "without an end": lambda: front.forged(exp=None),
        "from tomorrow": lambda: front.forged(nbf=int(now) + 86400),
        "issued tomorrow": lambda: front.forged(iat=int(now) + 86400),
        "another issuer": lambda: front.forged(iss="else"),
        "another audience": lambda: front.forged(aud="else"),
        "without jti": lambda: front.forged(jti=None),
        "revoked": lambda: front.forged(jti="revoked-one"),
        "another key": lambda: front.forged(key=other),
        "changed body": lambda: f"{head}.{body[:-4]}AAAA.{signature}",
        "no signature": lambda: f"{head}.{body}.",
        "unknown role": lambda: front.forged(role="emperor"),
        "no role": lambda: front.forged(role=None),
        "no agent": lambda: front.forged(agent_id=None),
        "no workspace": lambda: front.forged(workspace_id=None),
        "agent is no text": lambda: front.forged(agent_id=7),
    }


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGE-39", "BRIDGEOPS-91")
async def test_every_fault_of_a_token_with_every_method(front: Front) -> None:
    thread = front.house.thread("exec")
    before = front.house.plane.ledger.size()
    for name, make in faults_of_a_token(front).items():
        for method, asked in valid(thread).items():
            answer = await front.post(method, asked, make(), **{"X-Request-Id": f"{method}"})
            assert answer.status_code == 401, (name, method, answer.text)
            told = answer.json()
            assert (told["error"]["code"], told["error"]["retryable"]) == ("UNAUTHORIZED", False)
            assert told["request_id"] == answer.headers["x-request-id"] == method
            assert told["occurred_at"].endswith("Z")
        front.house.clock.pass_by(2)
    front.house.plane.flush()
    topics = {one.event.TOPIC for one in front.house.plane.ledger.read(before, 10_000)}
    assert topics == {"access.refused", "bridge.call-refused"}
    assert (await front.post("get_thread", {"thread_id": thread}, front.token("participant"))).status_code == 200


@pytest.mark.anyio
async def test_the_answers_have_the_fields_that_hold(front: Front) -> None:
    thread = front.house.thread("exec", "reviewer")
    front.house.beat()
    fields = {
        "create_thread": {"thread_id", "status", "created_at"},
        "get_thread": {
            "thread_id", "workspace_id", "title", "type", "status", "participants", "created_at", "updated_at",
            "last_seq",
        },
        "update_thread_status": {"thread_id", "previous_status", "status", "updated_at"},
        "summarize_thread": {"summary", "open_items", "decisions", "participants", "last_status"},
        "post_message": {"message_id", "seq", "thread_status", "created_at"},
        "read_messages": {"messages", "next_seq", "has_more"},
        "ack_read": {"ok", "updated_at"},
        "heartbeat_session": {"ok", "recorded_at"},
        "trigger_participant": {
            "trigger_id", "target_agent_id", "action", "result", "job_status", "target_session_id", "runtime",
            "management_mode", "session_status", "stale_session", "triggered_at",
        },
    }  # fmt: skip
    for method, asked in valid(thread).items():
        answer = await front.post(method, asked, front.token("coordinator"))
        assert answer.status_code == 200
        assert fields[method] <= set(answer.json()), method
        assert answer.headers["x-request-id"]
    answer = await front.post("no_such_method", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    (message,) = (await front.post("read_messages", {"thread_id": thread})).json()["messages"]
    assert set(message) == {"message_id", "schema_version", "seq", "kind", "body", "sender_agent_id", "created_at"}


def refused_each(front_desk: Desk, bodies: list[tuple[str, bytes]]) -> None:
    caller = Caller("boss", "coordinator", "boss", "w1", "s", "j")
    for method, raw in bodies:
        status, content = front_desk.answer(method, caller, raw, "r")
        assert (status, content["error"]["code"]) == (400, "INVALID_ARGUMENT"), (method, raw[:500], content)


def desk_of(house: House) -> Desk:
    from prometheus_client import CollectorRegistry

    return Desk(house.plane, CollectorRegistry())


@pytest.mark.requirement("BRIDGEOPS-93", "BRIDGEOPS-94")
def test_three_thousand_malformed_payloads_get_the_same_answer(house: House) -> None:
    house.clock.pass_by(1)
    payloads = list(malformed(valid(house.thread()), random.Random(8), 3000))
    size = house.plane.ledger.size()
    refused_each(desk_of(house), payloads)
    house.plane.flush()
    # The burst is told by its count, not by an event each.
    assert house.plane.ledger.size() - size < 20


def test_methods_that_do_not_exist_do_not_flood_the_log(house: House) -> None:
    thread = house.thread()
    size = house.plane.ledger.size()
    for number in range(200):
        assert house.refused(f"no_such_{number}", EXEC, thread_id=thread) == "NOT_FOUND"
    house.plane.flush()
    assert house.plane.ledger.size() - size <= 2


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.requirement("BRIDGE-40")
def test_a_hundred_thousand_malformed_payloads_get_the_same_answer(house: House) -> None:
    refused_each(desk_of(house), list(malformed(valid(house.thread()), random.Random(9), 100_000)))


@pytest.mark.anyio
async def test_malformed_payloads_over_the_wire(front: Front) -> None:
    token = front.token("coordinator")
    for method, raw in malformed(valid(front.house.thread()), random.Random(10), 200):
        answer = await front.post(method, raw, token)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT"), (method, raw[:300])
    answer = await front.post("post_message", b" " * (1 << 20) + b"{}", token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGEOPS-46", "BRIDGEOPS-47", "BRIDGEOPS-48", "BRIDGEOPS-49", "BRIDGEOPS-50", "BRIDGEOPS-52")
@pytest.mark.requirement("BRIDGEOPS-53", "BRIDGEOPS-57", "BRIDGEOPS-58")
async def test_the_figures_for_prometheus(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> int:
        raise LedgerUnavailable("the database is away")

    thread, token = front.house.thread(), front.token("coordinator")
    for n in range(5):
        await front.post("post_message", {"thread_id": thread, "kind": "chat", "body": f"{n}"}, token)
    await front.post("read_messages", {"thread_id": thread}, token)
    await front.post("post_message", {"thread_id": thread, "kind": "chat", "body": ""}, token)
    await front.post("update_thread_status", {"thread_id": thread, "status": "blocked", "reason": "r"}, token)
    text = (await front.client.get("/metrics")).text
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("bridge_")
    }
    assert found["bridge_requests_total", "200", "POST", "post_message"] == 5
    assert found["bridge_requests_total", "400", "POST", "post_message"] == 1
    assert found["bridge_errors_total", "INVALID_ARGUMENT"] == 1
    assert found["bridge_request_duration_seconds_count", "read_messages"] == 1
    assert found["bridge_request_duration_seconds_sum", "read_messages"] > 0
    assert found[("bridge_messages_per_minute",)] == 5
    assert found["bridge_threads", "blocked"] == 1
    assert found[("bridge_escalations_per_day",)] == 1
    assert found[("bridge_delivery_failure_ratio",)] == 0
    assert {key[1] for key in found if key[0] == "bridge_wake_attempts_total"} == {
        "triggered", "already_active", "failed", "fallback_spawned",
    }  # fmt: skip
    assert found["bridge_read_latency_seconds", "0.95"] >= found["bridge_read_latency_seconds", "0.5"] > 0
    assert (await front.client.get("/health")).status_code == 200
    assert (await front.client.get("/ready")).status_code == 200
    monkeypatch.setattr(front.house.plane._opened, "check_in_use", away)
    answer = await front.client.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert (await front.client.get("/health")).status_code == 200


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGEOPS-54", "BRIDGEOPS-55", "BRIDGE-23")
async def test_denied_operations_log_the_checks_that_led_to_it(front: Front) -> None:
    thread = front.house.thread()
    with capture_logs() as logs:
        asked = {"thread_id": thread, "status": "closed", "reason": "r"}
        await front.post("update_thread_status", asked, front.token("participant"), **{"X-Request-Id": "r-9"})
    (denied,) = [line for line in logs if line["event"] == "denied"]
    assert denied["trace"] == ["request: fits", "agent exec: the token's", "role: refused"]
    assert denied["request_id"] == "r-9"
    (request,) = [line for line in logs if line["event"] == "request"]
    assert (request["request_id"], request["status"]) == ("r-9", 403)


@pytest.mark.requirement("BRIDGE-03", "BRIDGEOPS-08")
def test_the_same_nine_are_tools_of_the_mcp_server(house: House) -> None:
    from control_plane.mcp.bridge import BRIDGE_TOOLS
    from control_plane.mcp.tooling import Call
    from control_plane.mcp.tools import TOOLS

    assert [tool.name for tool in BRIDGE_TOOLS] == list(REQUESTS)
    assert set(BRIDGE_TOOLS) <= set(TOOLS)
    call = Call(house.plane, Caller("boss", "coordinator", "boss", "w1", "s", "j"))
    tools = {tool.name: tool for tool in BRIDGE_TOOLS}
    thread = house.thread()
    for method, asked in valid(thread).items():
        answer = tools[method].answer(call, tools[method].given(asked))
        fields = {field.name for field in __import__("msgspec").structs.fields(tools[method].gives) if field.required}
        assert fields <= set(answer), method
    assert house.read(thread)["messages"][0]["sender_agent_id"] == "boss"


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGE-27")
async def test_what_a_page_of_threads_shows_is_what_the_caller_may_see(front: Front) -> None:
    front.house.thread("exec", "reviewer")
    front.house.thread("reviewer")
    front.house.thread("exec", workspace="w2")

    async def count(token: str) -> int:
        answer = await front.client.get("/api/bridge/threads", headers={"Authorization": f"Bearer {token}"})
        return len(answer.json()["threads"])

    assert [await count(t) for t in (OWN, front.token("auditor"), front.token("participant"))] == [3, 2, 1]


async def _stream(front: Front, thread: str) -> list[str]:
    desk = desk_of(front.house)
    told: list[str] = []
    stream = desk.messages(thread, 1, EXEC)
    async for chunk in stream:
        told.append(chunk.decode())
        if len(told) == 2:
            front.house.say(thread, REVIEWER, "third")
        if len(told) == 3:
            front.house.bridge.remove_participant(thread, "exec", BOSS)
    return told


@pytest.mark.anyio
@pytest.mark.requirement("BRIDGEOPS-25")
async def test_messages_are_pushed_as_they_come_to_those_who_take_part(front: Front) -> None:
    thread = front.house.thread()
    front.house.say(thread, body="first")
    front.house.say(thread, body="second")
    told = await _stream(front, thread)
    assert told[0] == ": here\n\n"
    assert [line.split("\n")[0] for line in told[1:3]] == ["id: 2", "id: 3"]
    assert json.loads(told[2].split("data: ")[1])["body"] == "third"
    assert told[-1].startswith("event: end")
    answer = await front.client.get(
        f"/v1/threads/{thread}/messages", headers={"Authorization": f"Bearer {front.token('participant', 'stranger')}"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")

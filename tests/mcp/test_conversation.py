"""What the official client sees, over both transports."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mcp import MCPError

from control_plane import ControlPlane
from control_plane.learning.keys import read_private, read_public
from control_plane.learning.signing import sign
from control_plane.ledger.keys import create_key
from tests.mcp.conftest import NOTE, Served, Talk, facts_of

pytestmark = pytest.mark.anyio

HOUSE = {"advise", "record_result", "explain", "search_memory", "learn", "health"}


@pytest.fixture
async def http(served: Served) -> AsyncIterator[Talk]:
    async with served.connect() as client:
        yield Talk(client, served.home)


@pytest.mark.requirement("SERVE-40", "SERVE-41", "SERVE-42", "SERVE-44", "SERVE-45")
async def test_a_task_goes_from_advice_to_its_result_in_the_ledger(talk: Talk) -> None:
    listed = {tool.name for tool in (await talk.client.list_tools()).tools}
    assert listed >= HOUSE
    advice = await talk.call("advise", type="code.fix", repo="acme/api", files=["a.py"])
    decision = advice["decision_id"]
    assert advice["plan"]
    result = {"decision_id": decision, "success": True, "latency_ms": 1840, "cost_usd": 0.021}
    assert await talk.call("record_result", **result) == {"recorded": True}
    explained = await talk.call("explain", decision_id=decision)
    assert explained["decision"] == decision
    assert explained["repeated"]
    health = await talk.call("health")
    assert health["results"] >= 1
    assert (await talk.call("search_memory", query="database tests"))["found"][0]["text"] == NOTE
    read = await talk.client.read_resource(f"decision://{decision}")
    assert f'"{decision}"' in read.contents[0].text
    told = [fact for fact in facts_of(talk.home, "router.result-recorded") if fact.decision == decision]
    assert [(fact.success, fact.latency_ms, fact.cost_usd) for fact in told] == [(True, 1840, 0.021)]


@pytest.mark.requirement("SERVE-41", "SERVE-45")
async def test_a_client_of_the_earlier_handshake_is_served_too(served: Served) -> None:
    async with served.connect(mode="legacy") as client:
        assert client.protocol_version < "2026"
        assert not (await client.call_tool("advise", {"type": "code.fix"})).is_error


async def test_every_tool_says_what_it_does_and_what_it_takes(http: Talk) -> None:
    for tool in (await http.client.list_tools()).tools:
        assert tool.title
        assert len(tool.description or "") > 40, tool.name
        assert tool.output_schema is not None
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
        undescribed = [name for name, told in tool.input_schema["properties"].items() if "description" not in told]
        assert undescribed == [], tool.name


BAD = [
    ("advise", {}, "input.invalid", "type"),
    ("advise", {"type": 7}, "input.invalid", "$.type"),
    ("advise", {"type": "code.fix", "tpye": "x"}, "input.invalid", "tpye"),
    ("advise", {"type": "code.fix", "budget_usd": -1}, "input.invalid", "budget"),
    ("advise", {"type": "code.fix", "candidates": ["acme/none"]}, "router.unknown-arm", "acme/none"),
    ("record_result", {"decision_id": "1-2-3-4-5", "success": True}, "router.unknown-decision", "1-2-3-4-5"),
    ("record_result", {"success": True}, "input.invalid", ""),
    ("explain", {"decision_id": ""}, "router.unknown-decision", ""),
    ("search_memory", {"query": "x", "k": 0}, "input.invalid", "$.k"),
    ("learn", {}, "input.invalid", "envelope"),
    ("learn", {"envelope": "{}", "lesson": None}, "learning.unsigned_event", ""),
    ("learn", {"envelope": "no json"}, "learning.malformed", ""),
    ("learn", {"lesson": {"kind": "outcome", "task_type": "a", "trace_id": "t"}}, "mcp.no-key", ""),
    ("health", {"deep": True}, "input.invalid", "deep"),
]


@pytest.mark.parametrize(("tool", "arguments", "code", "named"), BAD)
async def test_what_is_refused_is_a_coded_error_of_the_tool(
    http: Talk, tool: str, arguments: dict[str, Any], code: str, named: str
) -> None:
    told = await http.refused(tool, **arguments)
    assert told["code"] == code
    assert named in " ".join(str(value) for value in told.values())


async def test_an_unknown_tool_is_an_error_of_the_protocol(http: Talk) -> None:
    with pytest.raises(MCPError, match="no tool 'forget'") as caught:
        await http.client.call_tool("forget", {})
    assert caught.value.code == -32602
    assert set(caught.value.data["known"]) >= HOUSE


@pytest.mark.requirement("SERVE-44")
async def test_policies_and_decisions_can_be_read(http: Talk) -> None:
    decision = (await http.call("advise", type="docs.write"))["decision_id"]
    listed = {str(one.uri): one for one in (await http.client.list_resources()).resources}
    assert {"policy://careful", f"decision://{decision}"} <= listed.keys()
    templates = (await http.client.list_resource_templates()).resource_templates
    assert [one.uri_template for one in templates] == [
        "policy://{name}", "decision://{decision_id}", "thread://{thread_id}",
    ]  # fmt: skip
    policy = (await http.client.read_resource("policy://careful")).contents[0]
    assert policy.mime_type == "application/json"
    assert '"stage":"draft"' in policy.text
    assert '"success_value_usd":5.0' in policy.text


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("policy://none", "policy.unknown"),
        ("decision://none", "router.unknown-decision"),
        ("policy://", "mcp.no-resource"),
        ("file:///etc/passwd", "mcp.no-resource"),
    ],
)
async def test_a_resource_that_is_not_there_is_a_coded_error(http: Talk, uri: str, code: str) -> None:
    with pytest.raises(MCPError) as caught:
        await http.client.read_resource(uri)
    assert caught.value.code == -32602
    assert caught.value.data["code"] == code


async def test_a_record_that_an_agent_signed_is_let_in_once(http: Talk, tmp_path: Path) -> None:
    key = tmp_path / "agent.key"
    public = create_key(key, "agent").verifier
    with ControlPlane.open(http.home, background=False) as plane:
        plane.learning.admit("reviewer", read_public(str(public).encode()))
        now = plane.ledger.clock.now()
    predicate = {"kind": "outcome", "task_type": "code.fix", "trace_id": "t-1", "ts": now, "success": True}
    envelope = sign(predicate, read_private(key.read_bytes())).decode()
    assert await http.call("learn", envelope=envelope) == {"accepted": 1}
    assert (await http.refused("learn", envelope=envelope))["code"] == "learning.replayed"
    assert len(facts_of(http.home, "learning.record-accepted")) == 1


@pytest.mark.requirement("SERVE-43")
async def test_a_thread_between_agents_is_led_by_the_nine_tools_of_the_bridge(http: Talk) -> None:
    made = await http.call(
        "create_thread", workspace_id="w1", title="t", type="workflow", participants=["exec", "owner"]
    )
    thread = made["thread_id"]
    beat = {"session_id": "s", "runtime": "fake", "management_mode": "managed", "resumable": True, "status": "idle"}
    assert (await http.call("heartbeat_session", workspace_id="w1", agent_id="exec", **beat))["ok"]
    posted = await http.call("post_message", thread_id=thread, kind="chat", body="look at this")
    read = await http.call("read_messages", thread_id=thread)
    assert [(one["seq"], one["body"]) for one in read["messages"]] == [(posted["seq"], "look at this")]
    assert (await http.call("ack_read", thread_id=thread, last_read_seq=posted["seq"]))["ok"]
    woken = await http.call(
        "trigger_participant", thread_id=thread, target_agent_id="exec", reason="r", trigger_prompt="p"
    )
    assert woken["target_agent_id"] == "exec"
    assert (await http.call("summarize_thread", thread_id=thread))["last_status"] == "active"
    await http.call("update_thread_status", thread_id=thread, status="resolved", reason="done")
    assert (await http.call("get_thread", thread_id=thread))["status"] == "resolved"
    assert (await http.refused("get_thread", thread_id="th_none"))["code"] == "bridge.not-found"
    requests = [fact.request for fact in facts_of(http.home, "bridge.message-posted") if fact.thread == thread]
    assert len(requests) == 1
    assert requests != [""]

"""Who listens to a thread is told of what is new in it, over both transports, whoever wrote it."""

import json
import time
from pathlib import Path

import anyio
import pytest
from mcp import MCPError
from mcp.client.subscriptions import ResourceUpdated

from control_plane import ControlPlane
from control_plane.bridge.rules import Actor
from tests.mcp.conftest import Connect, Served, Talk

pytestmark = pytest.mark.anyio

BOSS = Actor("boss", "coordinator", "w1")


async def begin(talk: Talk) -> str:
    made = await talk.call(
        "create_thread", workspace_id="w1", title="A review", type="workflow", participants=["exec", "boss"]
    )
    return str(made["thread_id"])


@pytest.mark.requirement("BRIDGE-17")
async def test_who_listens_is_told_and_reads_what_is_new(talk: Talk) -> None:
    thread, other = await begin(talk), await begin(talk)
    uri = f"thread://{thread}"
    read = json.loads((await talk.client.read_resource(uri)).contents[0].text)
    assert (read["thread_id"], read["last_seq"]) == (thread, 0)
    with anyio.fail_after(30):
        async with talk.client.listen(resource_subscriptions=[uri]) as news:
            assert news.honored.resource_subscriptions == [uri]
            await talk.call("post_message", thread_id=other, kind="chat", body="elsewhere", agent_id="boss")
            await talk.call("post_message", thread_id=thread, kind="chat", body="one", agent_id="boss")
            assert await anext(news) == ResourceUpdated(uri=uri)
            # By another process on the same log.
            with ControlPlane.open(talk.home, background=False) as plane:
                said = {"thread_id": thread, "kind": "chat", "body": "two"}
                plane.bridge.call("post_message", BOSS, json.dumps(said).encode())
            assert await anext(news) == ResourceUpdated(uri=uri)
            page = await talk.call("read_messages", thread_id=thread, since_seq=0)
            assert [one["body"] for one in page["messages"]] == ["one", "two"]


@pytest.mark.requirement("BRIDGE-17")
async def test_nobody_listens_to_what_he_may_not_read(served: Served) -> None:
    async with served.connect() as client:
        for uri in ("thread://th_nothing", "policy://careful", "decision://x"):
            with pytest.raises(MCPError) as refused:
                async with client.listen(resource_subscriptions=[uri]):
                    pass
            assert refused.value.error.code == -32602
        thread = await begin(Talk(client, served.home))
    async with served.connect(served.issued("participant")) as stranger:
        with pytest.raises(MCPError, match="agent or no workspace"):
            async with stranger.listen(resource_subscriptions=[f"thread://{thread}"]):
                pass


async def test_the_end_of_stdin_does_not_wait_for_listeners(stdio: Connect) -> None:
    async with stdio() as client:
        thread = await begin(Talk(client, Path()))
        began = time.monotonic()
        async with client.listen(resource_subscriptions=[f"thread://{thread}"]):
            pass
    assert time.monotonic() - began < 8

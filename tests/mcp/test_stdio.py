"""`control-plane mcp`: who the client is, nothing but the protocol on stdout, and ends that lose nothing."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from control_plane import ControlPlane
from control_plane.learning.keys import read_public
from control_plane.ledger.keys import create_key
from tests.mcp.conftest import PROGRAM, Connect, facts_of

HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def calling(number: int, tool: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


class Pipes:
    """The process as a client sees it who writes lines and reads lines."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "--home", str(home), "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=home.parent,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def say(self, *messages: dict[str, Any] | str) -> None:
        for one in messages:
            self.stdin.write((one if isinstance(one, str) else json.dumps(one)) + "\n")
        self.stdin.flush()

    def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self.stdout.readline())
        return heard

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        rest, errors = self.process.communicate(timeout=60)
        return self.process.returncode, [json.loads(line) for line in rest.splitlines()], errors


@pytest.mark.requirement("SERVE-40")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_idle_server_and_what_was_recorded_is_in_the_ledger(home: Path, number: int) -> None:
    pipes = Pipes(home)
    try:
        pipes.say(HELLO, READY, calling(1, "advise", type="code.fix"))
        assert pipes.hear()["id"] == 0
        decision = pipes.hear()["result"]["structuredContent"]["decision_id"]
        pipes.say(calling(2, "record_result", decision_id=decision, success=False, error="timeout"))
        assert pipes.hear()["result"]["structuredContent"] == {"recorded": True}
        os.kill(pipes.process.pid, number)
        assert pipes.process.wait(60) == 0
        assert pipes.stdout.read() == ""
        assert "Traceback" not in (pipes.process.stderr.read() if pipes.process.stderr else "")
    finally:
        pipes.process.kill()
        pipes.process.communicate()
    assert [fact.decision for fact in facts_of(home, "router.result-recorded")] == [decision]


@pytest.mark.requirement("SERVE-40")
def test_what_was_asked_before_the_end_of_stdin_is_answered_and_stdout_holds_only_the_protocol(home: Path) -> None:
    pipes = Pipes(home)
    pipes.say("this is no JSON", '{"jsonrpc": "2.0"', HELLO, READY, "")
    pipes.say(calling(1, "advise", type="code.fix", description="ünïcode 🦊"), calling(2, "health"))
    code, heard, errors = pipes.end()
    assert code == 0
    assert "Traceback" not in errors
    assert all(one["jsonrpc"] == "2.0" for one in heard)
    assert {one["id"] for one in heard if "result" in one} == {0, 1, 2}


@pytest.mark.anyio
async def test_a_role_that_does_not_suffice_is_refused_and_audited(stdio: Connect, home: Path) -> None:
    async with stdio("--role", "viewer", "--agent-id", "looker") as client:
        refused = await client.call_tool("advise", {"type": "code.fix"})
        assert refused.is_error
        assert refused.structured_content is not None
        assert refused.structured_content["code"] == "access.forbidden"
        assert not (await client.call_tool("health", {})).is_error
    assert [(fact.path, fact.code) for fact in facts_of(home, "access.refused")] == [("mcp:advise", "access.forbidden")]
    assert facts_of(home, "router.advice-given") == []


@pytest.mark.anyio
async def test_lessons_are_signed_with_the_key_that_the_server_was_given(
    stdio: Connect, home: Path, tmp_path: Path
) -> None:
    key = tmp_path / "agent.key"
    public = create_key(key, "agent").verifier
    with ControlPlane.open(home, background=False) as plane:
        plane.learning.admit("reviewer", read_public(str(public).encode()))
    lesson = {"kind": "outcome", "task_type": "code.fix", "trace_id": "t-9", "success": True}
    async with stdio("--key", str(key)) as client:
        learned = await client.call_tool("learn", {"lesson": lesson})
        assert learned.structured_content == {"accepted": 1}
    (accepted,) = facts_of(home, "learning.record-accepted")
    assert (accepted.task_type, accepted.trace_id) == ("code.fix", "t-9")

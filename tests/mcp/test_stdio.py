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
from tests.mcp.conftest import PROGRAM, facts_of

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

    def __init__(self, home: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "--home", str(home), "mcp", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
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


@pytest.fixture
def key(home: Path, tmp_path: Path) -> Path:
    """An agent's key that this home has admitted."""
    path = tmp_path / "agent.key"
    public = create_key(path, "agent").verifier
    with ControlPlane.open(home, background=False) as plane:
        plane.learning.admit("reviewer", read_public(str(public).encode()))
    return path


@pytest.mark.requirement("SERVE-40")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_idle_server_and_what_was_recorded_is_in_the_ledger(
    home: Path, key: Path, number: int
) -> None:
    pipes = Pipes(home, "--key", str(key))
    lesson = {"kind": "outcome", "task_type": "code.fix", "trace_id": "t-9", "success": True}
    try:
        pipes.say(HELLO, READY, calling(1, "advise", type="code.fix"))
        assert pipes.hear()["id"] == 0
        decision = pipes.hear()["result"]["structuredContent"]["decision_id"]
        pipes.say(calling(2, "record_result", decision_id=decision, success=False, error="timeout"))
        assert pipes.hear()["result"]["structuredContent"] == {"recorded": True}
        pipes.say(calling(3, "learn", lesson=lesson))
        assert pipes.hear()["result"]["structuredContent"] == {"accepted": 1}
        os.kill(pipes.process.pid, number)
        code, rest, errors = pipes.end()
    finally:
        pipes.process.kill()
        pipes.process.wait()
    assert (code, rest) == (0, [])
    assert "Traceback" not in errors
    assert [fact.decision for fact in facts_of(home, "router.result-recorded")] == [decision]
    (accepted,) = facts_of(home, "learning.record-accepted")
    assert (accepted.task_type, accepted.trace_id) == ("code.fix", "t-9")


@pytest.mark.requirement("SERVE-40")
def test_what_was_asked_before_the_end_of_stdin_is_answered_and_stdout_holds_only_the_protocol(home: Path) -> None:
    """By a client that may only look: what it may not do is refused and on record."""
    pipes = Pipes(home, "--role", "viewer", "--agent-id", "looker")
    pipes.say("this is no JSON", '{"jsonrpc": "2.0"', HELLO, READY, "")
    pipes.say(calling(1, "advise", type="code.fix", description="ünïcode 🦊"), calling(2, "health"))
    code, heard, errors = pipes.end()
    assert code == 0
    assert "Traceback" not in errors
    assert all(one["jsonrpc"] == "2.0" for one in heard)
    answers = {one["id"]: one["result"] for one in heard if "result" in one}
    assert answers.keys() == {0, 1, 2}
    assert answers[1]["isError"]
    assert answers[1]["structuredContent"]["code"] == "access.forbidden"
    assert answers[2]["structuredContent"]["decisions"] == 0
    assert [(fact.path, fact.code) for fact in facts_of(home, "access.refused")] == [("mcp:advise", "access.forbidden")]
    assert facts_of(home, "router.advice-given") == []


def test_a_client_that_is_gone_is_no_defect(home: Path) -> None:
    pipes = Pipes(home)
    pipes.say(HELLO, READY)
    assert pipes.hear()["id"] == 0
    pipes.stdout.close()
    pipes.say(calling(1, "advise", type="code.fix"))
    code = pipes.process.wait(60)
    pipes.stdin.close()
    assert pipes.process.stderr is not None
    with pipes.process.stderr as errors:
        assert (code, errors.read()) == (0, "")

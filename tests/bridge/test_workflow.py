"""Two real OpenCode sessions and a scripted model: an executioner and a reviewer, and nobody who copies anything.

Server, supervisor and both OpenCodes are processes of their own. Each agent's model knows only what it was told: by
its wake which thread it is about, by the bridge's tools what the other one said.
"""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from tests.opencode.scripted_model import _Handler, is_title, plan, text_of
from tests.opencode.world import Unobtainable, World, obtain, until

Play = Callable[[str, list[Any]], tuple[str, dict[str, Any]] | None]
FINDING = "off by one in src/parser.py, line 88"


class Agent:
    """What a model does when it is woken: read, answer the newest message of the other, acknowledge."""

    def __init__(self, name: str) -> None:
        self.name = name

    def plan(self, body: dict[str, Any]) -> tuple[str, str]:
        messages = body["messages"]
        last = max((at for at, one in enumerate(messages) if one["role"] == "user"), default=-1)
        wake = re.search(r"\[BRIDGE_TRIGGER id=\S+ attempt=\d+ thread=(\S+) ", text_of(messages[last]["content"]))
        if wake is None or is_title(body):
            return plan(body)
        results = [text_of(one["content"]) for one in messages[last + 1 :] if one["role"] == "tool"]
        step = self.step(wake[1], results)
        return ("SAY", "done") if step is None else ("CALL", f"bridge_{step[0]} {json.dumps(step[1])}")

    def step(self, thread: str, results: list[str]) -> tuple[str, dict[str, Any]] | None:
        if not results:
            return "read_messages", {"thread_id": thread, "since_seq": 0, "limit": 200}
        read = json.loads(results[0])["messages"]
        answer = self.answer(thread, read)
        steps = [answer] if answer is not None else []
        steps.append(("ack_read", {"thread_id": thread, "last_read_seq": read[-1]["seq"]}))
        return steps[len(results) - 1] if len(results) <= len(steps) else None

    def answer(self, thread: str, read: list[dict[str, Any]]) -> tuple[str, dict[str, Any]] | None:
        said = [one for one in read if one["sender_agent_id"] != self.name and one["kind"] == "event"]
        mine = {one.get("in_reply_to") for one in read if one["sender_agent_id"] == self.name}
        if not said or said[-1]["message_id"] in mine:
            return None
        heard = said[-1]
        answers = {
            "re_review_requested": ("finding_reported", f"off by one in {heard['body'].partition(': ')[2]}"),
            "finding_reported": ("fix_pushed", f"fixed: {heard['body']}"),
            "fix_pushed": ("finding_verified", f"verified: {heard['body']}"),
            "finding_verified": ("thread_resolved", "all findings are verified"),
        }
        found = answers.get(heard["metadata"]["event_type"])
        if found is None:
            return None
        facts = {"event_type": found[0]}
        if found[0] in ("fix_pushed", "finding_verified"):
            facts["finding_id"] = heard["metadata"].get("finding_id", heard["message_id"])
        return "post_message", {
            "thread_id": thread, "kind": "event", "body": found[1], "metadata": facts,
            "in_reply_to": heard["message_id"], "idempotency_key": f"{found[0]}-{heard['message_id']}",
        }  # fmt: skip


class Playing(_Handler):
    """The scripted model, with an agent behind it."""

    agent: Agent

    def do_POST(self) -> None:  # noqa: N802 - as http.server wants it
        raw = self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}"
        body = json.loads(raw)
        with self.server.lock:
            self.server.requests.append({"body": body, "headers": {}})
            number = len(self.server.requests)
        self._stream(*self.agent.plan(body), number, body)


class Stage:
    """One server, one supervisor, two OpenCodes."""

    def __init__(self, binary: str, folder: Path, undo: ExitStack) -> None:
        self.folder, self.home = folder, folder / "home"
        self.env: dict[str, str] = {}
        self.worlds: dict[str, World] = {}
        for name in ("exec", "reviewer"):
            world = World(binary, folder / name)
            undo.callback(world.close)
            world.model.RequestHandlerClass = type("Played", (Playing,), {"agent": Agent(name)})
            self.worlds[name] = world
        self.env = self.worlds["exec"].env | {"CONTROL_PLANE_WITNESS": str(folder / "witness")}
        server = self.start(undo, "serve", "--port", "0")
        self.url = json.loads(server.stdout.readline())["url"]
        for name, world in self.worlds.items():
            token = self.ask(
                "token", "--agent-id", name, "--role", "participant", "--workspace-id", "w1", "--session-id", "s"
            )
            headers = {"Authorization": f"Bearer {token['token']}"}
            world.config["mcp"] = {
                "bridge": {"type": "remote", "url": f"{self.url}/mcp", "headers": headers, "oauth": False}
            }
            world.write_config()
            world.start()
        drivers = "".join(
            f'[drivers.oc-{name}]\nkind = "opencode"\nurl = "{world.port.url}"\ndirectory = "{world.project}"\n'
            for name, world in self.worlds.items()
        )
        (folder / "bridge.toml").write_text(drivers)
        supervisor = self.start(undo, "bridge", "supervise", "--config", str(folder / "bridge.toml"))
        assert "holder" in json.loads(supervisor.stdout.readline())

    def start(self, undo: ExitStack, *words: str) -> Any:
        log = undo.enter_context((self.folder / f"{words[0]}.log").open("w"))
        command = [sys.executable, "-m", "control_plane", "--home", str(self.home), *words, "--json"]
        process = undo.enter_context(
            subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=log, text=True)
        )
        undo.callback(self.end, process)
        return process

    @staticmethod
    def end(process: Any) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()

    def ask(self, *words: str) -> Any:
        command = [sys.executable, "-m", "control_plane", "--home", str(self.home), "bridge", *words, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def call(self, method: str, **asked: Any) -> Any:
        headers = {"Authorization": f"Bearer {(self.home / 'token').read_text().strip()}"}
        answer = httpx.post(f"{self.url}/v1/mcp/{method}", json=asked, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def arrive(self, name: str) -> str:
        """The agent says where it can be woken, and goes to sleep."""
        world = self.worlds[name]
        session = world.port.create_session(name).id
        beat = {
            "session_id": session,
            "runtime": f"oc-{name}",
            "management_mode": "managed",
            "resumable": True,
            "status": "idle",
        }
        world.port.prompt(session, f"CALL bridge_heartbeat_session {json.dumps(beat)}")
        return session


@pytest.fixture
def stage(tmp_path: Path, could_not_run: Callable[[str], NoReturn]) -> Iterator[Stage]:
    try:
        binary = obtain()
    except Unobtainable as lacking:
        could_not_run(str(lacking))
    with ExitStack() as undo:
        yield Stage(binary, tmp_path, undo)
    with contextlib.suppress(OSError):
        shutil.rmtree(tmp_path / "exec" / "user")


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.requirement("BRIDGE-28", "BRIDGE-15", "BRIDGEOPS-17", "BRIDGEOPS-18", "BRIDGEOPS-103")
def test_a_review_goes_from_request_to_resolution_between_two_real_sessions(stage: Stage) -> None:
    asked = {
        "workspace_id": "w1",
        "title": "Review of the parser",
        "type": "workflow",
        "participants": ["exec", "reviewer"],
    }
    thread = stage.call("create_thread", **asked)["thread_id"]
    sessions = {name: stage.arrive(name) for name in ("exec", "reviewer")}
    said = {
        "thread_id": thread, "kind": "event", "body": "please review: src/parser.py, line 88",
        "metadata": {"event_type": "re_review_requested"},
    }  # fmt: skip
    stage.worlds["exec"].port.prompt(sessions["exec"], f"CALL bridge_post_message {json.dumps(said)}")

    def ended() -> bool:
        facts = stage.call("get_thread", thread_id=thread)
        return facts["last_seq"] == 5 and facts["cursors"].get("reviewer") == 5

    until(ended, 200)
    facts = stage.ask("inspect-thread", "--thread-id", thread)
    events = [(one["sender_agent_id"], one["metadata"]["event_type"], one["body"]) for one in facts["messages"]]
    assert events == [
        ("exec", "re_review_requested", "please review: src/parser.py, line 88"),
        ("reviewer", "finding_reported", FINDING),
        ("exec", "fix_pushed", f"fixed: {FINDING}"),
        ("reviewer", "finding_verified", f"verified: fixed: {FINDING}"),
        ("exec", "thread_resolved", "all findings are verified"),
    ]
    assert {job["result"] for job in facts["triggers"]} <= {"triggered", "already_active"}
    assert all(job["why"] == "" for job in facts["triggers"])
    # The wake is in the session's own history, once for each attempt.
    for name, session in sessions.items():
        history = "\n".join(one.text for one in stage.worlds[name].port.messages(session) if one.info.role == "user")
        marks = re.findall(r"\[BRIDGE_TRIGGER id=(\S+) attempt=(\d+)", history)
        assert marks
        assert len(set(marks)) == len(marks)

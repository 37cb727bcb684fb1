"""A tool whose guard check is not answered is stopped where guardrails are enforced; else it goes on with a toast."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import pytest

from control_plane.opencode import installing

DRIVER = Path(__file__).parent / "tools.mjs"


class Guardian(ThreadingHTTPServer):
    """Answers each check but those of commands that say `slow`, for which it waits until it ends."""

    daemon_threads = True

    def __init__(self, *, enforced: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.enforced, self.ending = enforced, threading.Event()
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Guardian

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer: dict[str, Any] = {"auto": False, "incumbent": None, "candidates": [], "enforced": self.server.enforced}
        if self.path.endswith("/check"):
            command = told["args"]["command"]
            self.server.asked.append(command)
            if "slow" in command:
                self.server.ending.wait(20)
            answer = {"decision": "allow", "message": "", "warning": "", "mode": "shadow"}
            if "rm" in command:
                answer |= {"decision": "block", "message": "[BLOCK] a rule"}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def drive(
    tmp_path: Path, could_not_run: Callable[[str], NoReturn]
) -> Iterator[Callable[..., tuple[dict[str, Any], Guardian]]]:
    """Runs these commands past the plugin, beside a server that has it so; without one when it is `dead`."""
    if shutil.which("node") is None:
        could_not_run("node is not installed")
    servers: list[Guardian] = []

    def drive(*commands: str, enforced: bool = False, dead: bool = False, mode: str = "") -> Any:
        home = tmp_path / "home"
        home.mkdir()
        (home / "token").write_text("token\n")
        servers.append(server := Guardian(enforced=enforced))
        installing.write_json(home / installing.SERVER, {"url": f"http://127.0.0.1:{server.server_port}", "pid": 1})
        if dead:
            server.shutdown()
            server.server_close()
        path = installing.install(tmp_path / "plugin", {"home": str(home), "guard_ms": 400})
        module = shutil.copy(path, tmp_path / "plugin.mjs")
        env = {**os.environ, "OPENCODE_ENFORCEMENT_MODE": mode}
        done = subprocess.run(
            ["node", str(DRIVER), str(module), *commands],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=env,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), server

    yield drive
    for server in servers:
        server.ending.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("how", [{"mode": "enforce"}, {"enforced": True}], ids=["told here", "told by the server"])
def test_no_answer_in_time_stops_the_tool_where_guardrails_are_enforced(drive, how):
    told, server = drive("echo 1", "echo slow", "rm x", "echo 2", **how)
    first, slow, blocked, last = told["went"]
    assert (first, last) == ("", "")
    assert "could not look at this call: no answer within 0.4 s" in slow
    assert blocked == "[BLOCK] a rule"
    assert server.asked == ["echo 1", "echo slow", "rm x", "echo 2"], "the next call is asked for at once"


def test_no_answer_in_time_is_told_where_nothing_is_enforced(drive):
    told, server = drive("echo slow", "echo 2")
    assert told["went"] == ["", ""]
    assert told["toasts"] == ["Guardrails: a call went on unchecked: no answer within 0.4 s"]
    assert server.asked == ["echo slow", "echo 2"]


def test_a_server_that_is_away_stops_tools_where_guardrails_are_enforced(drive):
    told, _ = drive("echo 1", "echo 2", dead=True, mode="enforce")
    assert all(
        one.startswith("[BLOCK] Guardrails are enforced and could not look at this call") for one in told["went"]
    )


@pytest.mark.parametrize("mode", ["", "shadow"])
def test_a_server_that_is_away_is_told_where_nothing_is_enforced(drive, mode):
    told, _ = drive("echo 1", "echo 2", dead=True, mode=mode)
    assert told["went"] == ["", ""]
    assert any(one.startswith("Guardrails: a call went on unchecked") for one in told["toasts"])


def test_the_brake_of_this_process_lets_tools_go_on(drive):
    told, _ = drive("echo slow", enforced=True, mode="shadow")
    assert told["went"] == [""]

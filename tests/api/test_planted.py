"""Secrets are planted wherever a caller may say something that is kept: none of them is found again."""

import json
import signal
from pathlib import Path
from urllib.parse import quote

import pytest

from control_plane import Task
from control_plane.bridge.rules import Actor
from control_plane.redacting import without_secrets

SECRETS = {
    "openai": "sk-proj-" + "A1b2C3d4E5f6G7h8" * 2,
    "github": "ghp_" + "Zz9Yy8Xx7Ww6" * 3,
    "aws": "AKIAIOSFODNN7EXAMPLQ",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlcGxhbnRlZA",
    "url": "postgres://bob:hunter2planted@db.example/x",
    "pem": "-----BEGIN PRIVATE KEY-----MIIplantedplanted-----END PRIVATE KEY-----",
}
# What of each must not be found: the part that nobody could guess.
CORES = (
    "A1b2C3d4E5f6G7h8",
    "Zz9Yy8Xx7Ww6",
    "IOSFODNN7EXAMPLQ",
    "c2lnbmF0dXJlcGxhbnRlZA",
    "hunter2planted",
    "MIIplanted",
)
BEAT = {"session_id": "s", "runtime": "fake", "management_mode": "managed", "resumable": True, "status": "idle"}


def asked(secret: str) -> list[tuple[str, dict[str, object]]]:
    """Every field of every route that is kept and is not what the route is there to keep."""
    command, file = (
        {"command": f"echo x > '.claude/settings.json/{secret}'; touch '{secret}.md'"},
        {"file_path": f"{secret}.md"},
    )
    usage = {"cost_usd": 0.1}
    turn = {"turn": secret, "session": secret}
    return [
        ("/api/advise", {"type": secret}),
        ("/api/advise", {"type": "x", "repo": secret, "strengths": [secret], "required_tools": [secret]}),
        ("/api/advise", {"type": "x", "session": secret, "error_type": secret, "tool": secret, "description": secret}),
        ("/api/advise", {"type": "x", "error_type": secret, "tool": secret, "complexity": secret, "files": [secret]}),
        ("/api/results", {"arm": "acme/cheap", "success": True, "model_served": secret,
                          "task": {"type": secret, "repo": secret, "session": secret}}),
        ("/api/results", {"arm": secret, "error": secret}),
        ("/api/guard/check", {"session": secret, "tool": "bash", "args": command}),
        ("/api/guard/check", {"session": secret, "tool": "write", "args": file}),
        ("/api/guard/prompt", {"session": secret, "text": secret}),
        ("/api/guard/finished", {"session": secret, "tool": "write", "args": file}),
        ("/api/guard/stop", {"session": secret}),
        ("/api/opencode/turn", {**turn, "asked": secret, "picked": secret, "agent": secret, "directory": secret}),
        ("/api/opencode/steps", {"steps": [{**turn, "message": secret, "model": secret, "usage": usage}]}),
        ("/api/opencode/failed", {**turn, "failed": secret, "error": secret}),
        ("/api/opencode/ended", {**turn, "model": secret, "usage": usage, "error": secret}),
        ("/api/opencode/stopped", {"session": secret, "limit": secret, "spent": 1.0, "most": 1.0}),
        ("/api/flags/OPENCODE_TAIL_SLO", {"value": "false", "reason": secret}),
        ("/api/tokens/zz/revoke", {"reason": secret}),
        ("/api/policies", {"document": 'name = "careful"\n[router]\nsuccess_value_usd = 5.0\n', "reason": secret}),
        (f"/api/{_in_a_path(secret)}", {}),
        ("/v1/mcp/create_thread", {"workspace_id": "w1", "title": secret, "type": "workflow", "participants": ["a"]}),
        ("/v1/mcp/get_thread", {"thread_id": secret}),
        (f"/v1/mcp/{_in_a_path(secret)}", {}),
        ("/v1/mcp/heartbeat_session", BEAT | {"session_id": secret, "workspace_id": "w1"}),
    ]  # fmt: skip


def _in_a_path(secret: str) -> str:
    return quote(secret, safe="")


def found_in(text: str) -> list[str]:
    return [core for core in CORES if core in text]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", SECRETS)
async def test_no_planted_secret_reaches_the_log(client, plane, kind):
    secret = SECRETS[kind]
    thread = (await client.post("/v1/mcp/create_thread", json=asked("x")[20][1])).json()["thread_id"]
    for path, body in asked(secret):
        await client.post(path, json=body, headers={"X-Request-Id": secret[:120]})
    for status in ("blocked", "closed"):
        body = {"thread_id": thread, "status": status, "reason": f"human_override: {secret}"}
        assert (await client.post("/v1/mcp/update_thread_status", json=body)).status_code == 200
    plane.bridge.archive(thread, secret, Actor("owner", "coordinator"))
    for authorization in ({"Authorization": ""}, {"Authorization": f"Bearer {secret}"}):
        for path in (f"/api/decisions/{_in_a_path(secret)}", f"/{_in_a_path(secret)}", f"/v1/mcp/{_in_a_path(secret)}"):
            answer = await client.get(path, headers=authorization, params={"token": secret})
            assert answer.status_code == 401
    plane.flush()
    rows = plane.ledger.rows(0, 100_000)
    told = {row[3]: bytes(row[4]).decode() for row in rows if found_in(bytes(row[4]).decode())}
    assert told == {}
    assert {"router.advice-given", "guard.decided", "turns.turn-begun", "flag.flipped"} <= {row[3] for row in rows}


def test_no_planted_secret_reaches_the_servers_own_log(serve, tmp_path: Path) -> None:
    served = serve()
    with served.client() as client:
        for secret in SECRETS.values():
            for path, body in asked(secret):
                client.post(path, json=body, headers={"X-Request-Id": secret[:120]})
                client.post(path, json=body, headers={"Authorization": f"Bearer {secret}"})
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(60)
    log = (tmp_path / "serve.log").read_text()
    assert "denied" in log
    assert "refused" in log
    assert found_in(log) == []


@pytest.mark.parametrize(
    "text",
    [
        "code.fix", "skeleton.generate", "sk-learn-feature-selection", "acme/api", "01MCC5RM00VY4YF19K00000001",
        "https://github.com/acme/api", "3f2b8c9e-1d2a-4b5c-9d8e-7f6a5b4c3d2e", "ses_1a2b3c4d5e6f7g8h9i0j",
        "/srv/acme/npm-run-all-2", "a reason: nobody: knows, why@all", "task-1234567890-abcdefghijkl",
    ],
)  # fmt: skip
def test_names_paths_and_ids_stay_the_very_same(text: str) -> None:
    assert without_secrets(text) is text


def test_what_was_said_with_a_secret_is_known_without_it(plane) -> None:
    """The same task again is the same task, and its session keeps its arm."""
    advised = [plane.advise(Task(f"fix {SECRETS['github']}", session=SECRETS["jwt"])) for _ in range(3)]
    assert len({one.arm for one in advised}) == 1
    plane.record_result(advised[0].decision_id, success=True, model_served=SECRETS["aws"])
    told = plane.explain(advised[-1].decision_id)
    assert told.arm == advised[-1].arm
    assert found_in(json.dumps(repr(told))) == []

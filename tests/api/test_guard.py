"""The guardrails over HTTP, as a client's plugin calls them."""

import json
from pathlib import Path

import pytest

from control_plane.guardrails.service import Guard
from tests.guardrails.ground import RULES

pytestmark = pytest.mark.anyio
DB = "src/db/client.ts"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ".claude/skills/skill-rules.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(RULES))
    return tmp_path


def call(**more: object) -> dict[str, object]:
    return {"session": "ses_1", "tool": "write", "args": {"filePath": DB, "content": "x"}, **more}


ENFORCE = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}


async def test_a_check_answers_decision_rule_message_and_mode(project, client, plane):
    told = (await client.post("/api/guard/check", json=call(cwd=str(project)))).json()
    assert (told["decision"], told["would"], told["rule"], told["mode"]) == (
        "allow", "block", "database-verification", "shadow",
    )  # fmt: skip
    told = (await client.post("/api/guard/check", json=call(env=ENFORCE))).json()
    assert (told["decision"], told["mode"], told["warning"]) == ("block", "enforce", "")
    assert told["message"].startswith("[BLOCK] database-verification")
    plane.flush()
    labelled = await client.post("/api/guard/label", json={"decision_id": told["decision_id"], "label": "FP"})
    assert labelled.json() == {"recorded": True, "demoted": True}
    status = (await client.get("/api/guard/status")).json()
    assert (status["decisions"], status["blocks"], status["protected"]) == (2, 1, {"ses_1": True})
    assert status["not_covered"]


async def test_a_call_from_outside_the_project_carries_a_warning(project, client):
    told = (await client.post("/api/guard/check", json=call(cwd=str(project.parent)))).json()
    assert "outside" in told["warning"]


async def test_a_check_that_fails_is_no_silent_yes(project, client, plane, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(Guard, "check", broken)
    told = (await client.post("/api/guard/check", json=call())).json()
    assert (told["decision"], "boom" in told["warning"]) == ("allow", True)
    plane.flush()
    assert plane.guard.state().counts.failures == 1
    rules = json.loads(json.dumps(RULES))
    rules["skills"]["secrets-guard"]["onError"] = "block"
    (project / ".claude/skills/skill-rules.json").write_text(json.dumps(rules))
    plane.guard.matcher()
    told = (await client.post("/api/guard/check", json=call())).json()
    assert (told["decision"], "boom" in told["message"]) == ("block", True)


async def test_stop_checks_plan_by_default_and_run_when_told(project, client, plane):
    (project / "pyproject.toml").write_text("[tool.ruff]\n")
    await client.post("/api/guard/finished", json=call(args={"filePath": "a.py", "content": "x"}))
    plane.flush()
    told = (await client.post("/api/guard/stop", json={"session": "ses_1"})).json()
    assert (told["verdict"], told["planned"], told["failures"]) == ("planned", [".: ruff check ."], [])
    assert told["message"].startswith("[STOP CHECK PLAN]")
    told = (await client.post("/api/guard/stop", json={"session": "nobody"})).json()
    assert (told["verdict"], told["message"]) == ("none", "")


async def test_a_prompt_is_told_which_skills_fit(project, client):
    told = (await client.post("/api/guard/prompt", json={"session": "s", "text": "a prisma migration"})).json()
    assert (told["decision"], told["rule"]) == ("suggest", "database-verification")


@pytest.mark.parametrize("body", [{}, {"session": "s"}, {"session": "", "tool": "x"}, call(extra=1), call(args=[])])
async def test_a_malformed_call_is_refused(project, client, body):
    answer = await client.post("/api/guard/check", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")

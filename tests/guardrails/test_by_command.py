"""The guardrails from the command line, with and without anything that answers."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import control_plane
from control_plane import ControlPlane
from control_plane.cli import main
from control_plane.guardrails import events as e
from control_plane.guardrails import port
from control_plane.guardrails.replaying import read
from tests.guardrails.conftest import DB

ENFORCE = "OPENCODE_ENFORCEMENT_MODE"


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(project: Path, capsys: pytest.CaptureFixture[str]):
    def run(*words: str) -> Ran:
        code = main(["guard", *words])
        return Ran(code, *capsys.readouterr())

    return run


def test_check_explain_and_label_one_after_another(run, monkeypatch):
    assert run("check", "--path", DB, "--json").json()["would"] == "block"
    monkeypatch.setenv(ENFORCE, "enforce")
    blocked = run("check", "--path", DB, "--json")
    told = blocked.json()
    assert (blocked.code, told["decision"], told["rule"]) == (1, "block", "database-verification")
    assert run("check", "--bash", f"echo x > {DB}").code == 1
    assert run("check", "--path", "src/app.ts").code == 0
    explained = run("explain", told["decision_id"], "--json").json()
    assert (explained["same"], explained["files"], explained["live"]) == (True, [DB], "block")
    labelled = run("label", told["decision_id"], "FP", "--json").json()
    assert labelled == {"decision": told["decision_id"], "label": "FP", "demoted": ["database"]}
    assert run("check", "--path", DB).code == 0
    assert run("replay").code == 0
    assert run("check").code == 2
    assert run("explain", "nobody").code == 2


@pytest.mark.requirement("GUARD-42")
def test_status_shows_phases_with_evidence_and_what_is_not_covered(run):
    run("check", "--path", DB)
    told = run("status", "--json").json()
    assert [phase["number"] for phase in told["phases"]] == list(range(1, 9))
    assert told["phases"][0]["status"] == "in progress"
    assert told["kpis"]["would_blocks"] == 1
    page = Path(control_plane.__file__).parents[1] / "docs/guardrails.md"
    words = " ".join(page.read_text().split())
    for one in told["not_covered"]:
        assert one in words, "what is not covered stands in the docs as well"
    shown = run("status").out
    assert "phase 1 Merge and baseline lock: in progress" in shown
    assert "not covered:" in shown


def test_promotion_by_command_is_refused_with_its_figures(run):
    run("check", "--path", DB)
    run("label", "last", "TP")
    refused = run("promote", "database", "--json")
    assert refused.code == 1
    assert (refused.json()["promoted"], refused.json()["labels_needed"]) == (False, 59)
    assert run("promote", "database", "--look").code == 0
    assert run("promote", "nobody").code == 2
    assert run("demote", "database", "--to", "off", "--json").json()["mode"] == "off"


def test_validate_says_every_fault(run, project):
    assert run("validate").code == 0
    path = project / "broken.json"
    path.write_text('{"skills": {"a": {"fileTriggers": {"contentPatterns": ["("]}}}}')
    told = run("validate", str(path), "--json")
    assert (told.code, told.json()["files"][0]["problems"][0]["fatal"]) == (1, True)
    path.write_text("{")
    assert run("validate", str(path)).code == 1


def test_tune_report_and_stop_by_command(run, project):
    (project / "pyproject.toml").write_text("[tool.ruff]\n")
    assert run("check", "--path", "src/db/generated/a.ts").code == 0
    run("label", "last", "FP")
    tried = run("tune", "--json").json()["tried"]
    assert tried[0]["change"]["exclude"] == ["src/db/generated/a.ts"]
    assert run("tune", "database-verification", "--exclude", "src/db/generated/**", "--apply").code == 0
    assert run("tune", "database-verification", "--exclude", "nothing/**", "--apply").code == 2
    files = run("weekly", "--json").json()["files"]
    assert all(Path(file).is_file() for file in files)
    assert run("burn-in").out.startswith("# Guardrails burn-in")
    assert run("kpi", "--json").json()["false"] == 1
    planned = run("stop-check", "--edited", "a.py", "--json").json()
    assert (planned["mode"], planned["plan"][0]["command"]) == ("plan", ["ruff", "check", "."])
    assert run("stop-mode", "execute", "--timeout", "5").code == 0
    assert run("stop-mode", "execute", "--timeout", "-5").code == 2
    assert run("canary", "--session", "command-line").code == 0
    assert run("canary", "--session", "nobody").code == 1


def test_the_hook_by_command(project, monkeypatch, capsys):
    monkeypatch.setenv(ENFORCE, "enforce")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(told_by_hook()).encode())))
    assert main(["guard", "hook"]) == 2
    assert "[BLOCK] database-verification" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"nonsense")))
    assert main(["guard", "hook", "--home", str(project / "elsewhere")]) == 1
    assert "goes on unchecked" in capsys.readouterr().err


def program(*words: str, **options: Any) -> "subprocess.Popen[str]":
    root = str(Path(control_plane.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, ENFORCE: "enforce"}
    return subprocess.Popen(
        [sys.executable, "-m", "control_plane", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, **options,
    )  # fmt: skip


def told_by_hook() -> dict[str, Any]:
    return {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"file_path": DB}}


def hooked(project: Path) -> int:
    process = program("guard", "hook", stdin=subprocess.PIPE, cwd=project)
    process.communicate(json.dumps(told_by_hook()), timeout=120)
    return process.returncode


@pytest.mark.requirement("GUARD-26", "GUARD-27", "GUARD-21")
def test_the_way_out_works_with_a_dead_server_and_is_signed_when_it_returns(project, home, run, monkeypatch):
    """A real server answers the hook, dies without a word; the switch works, and the next plane signs it."""
    server = program("serve", "--port", "0", "--json", cwd=project)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        answer = port.ask(str(home), {"hook": told_by_hook(), "env": {ENFORCE: "enforce"}}, 60.0)
        assert answer is not None
        assert answer["exit"] == 2
        assert hooked(project) == 2
        server.send_signal(signal.SIGKILL)
        server.wait(60)
        assert port.ask(str(home), {"hook": {}, "env": {}}, 5.0) is None
        assert hooked(project) == 2, "without a server the hook decides alone"
        assert run("off", "--for", "1h", "--actor", "ann", "--json").json()["off"] is True
        assert hooked(project) == 0
        with ControlPlane.open(home, background=False) as plane:
            (signed,) = [event for _, event in read(plane.ledger) if isinstance(event, e.SwitchedOff)]
            assert (signed.actor, plane.guard.modes().off_until) == ("ann", signed.until)
        assert main(["ledger", "verify"]) == 0
        assert run("off", "--back").code == 0
        monkeypatch.setenv(ENFORCE, "enforce")
        assert run("check", "--path", DB).code == 1
        assert run("off", "--for", "2d").code == 2
    finally:
        server.kill()
        server.communicate()


def test_without_a_rules_file_that_is_what_check_and_status_say(run, project):
    (project / ".claude/skills/skill-rules.json").unlink()
    checked = run("check", "--path", "src/app.ts").out
    assert "no rules file in this project" in checked
    assert "no rule matches" not in checked
    assert "no rules file in this project; only our own are in force" in run("status").out
    assert run("check", "--path", ".claude/settings.json", "--json").json()["rule"] == "guard-self"


@pytest.mark.parametrize("mark", ["rules", "repository"])
def test_the_project_is_looked_for_upwards(run, project, monkeypatch, mark):
    monkeypatch.setenv(ENFORCE, "enforce")
    below = project / "packages/web"
    below.mkdir(parents=True)
    if mark == "repository":
        (project / ".git").mkdir()
    monkeypatch.chdir(below)
    blocked = run("check", "--path", f"../../{DB}", "--json")
    assert (blocked.code, blocked.json()["rule"], blocked.json()["warning"]) == (1, "database-verification", "")
    assert run("check", "--bash", f"cd ../.. && rm {DB}").code == 1
    assert "5 rules" in run("validate").out


def test_status_says_what_is_done_and_what_is_open_each_once(run):
    run("check", "--path", DB)
    run("report", "baseline")
    lines = [line for line in run("status").out.splitlines() if line.startswith(("  done  ", "  open  "))]
    assert lines
    assert len(set(lines)) == len(lines)
    assert any(line.startswith("  done  ") for line in lines)


def test_a_report_is_for_its_owner_whatever_the_mask(run, home):
    run("check", "--path", DB)
    before = os.umask(0)
    try:
        assert run("report", "baseline").code == 0
    finally:
        os.umask(before)
    places = [home / "reports", *(home / "reports").iterdir()]
    assert [place.stat().st_mode & 0o777 for place in places] == [0o700, 0o600, 0o600]

"""A hook's process answers before its client gives up, and is found whatever the path holds."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.guardrails import hooking, installing, outside, port
from control_plane.guardrails.terms import Mode
from tests.guardrails.client import run_hook
from tests.guardrails.conftest import enforced
from tests.guardrails.test_hook import ENFORCE, payload


@pytest.fixture
def mute(home: Path, project: Path) -> Iterator[None]:
    """Somebody listens where the resident should, and never says a word."""
    home.mkdir(parents=True)
    with port.address(str(home)) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(8)
        yield


def hooked(project: Path, told: dict[str, Any], **environment: str) -> subprocess.CompletedProcess[str]:
    """A hook's process with less patience than usual."""
    source = (
        "import sys\nfrom control_plane.guardrails import hooking\nhooking.DEADLINE_S = 0.3\n"
        "from control_plane.cli import main\nsys.exit(main(['guard', 'hook']))"
    )
    root = str(Path(hooking.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", source], input=json.dumps(told), text=True, capture_output=True, timeout=60, check=False,
        cwd=project, env={**os.environ, "PYTHONPATH": root, **environment},
    )  # fmt: skip


@pytest.mark.usefixtures("mute")
def test_a_hook_that_runs_out_of_time_stops_the_call_where_guardrails_are_enforced(home, project):
    ran = hooked(project, payload(), **ENFORCE)
    assert (ran.returncode, "could not look at this call: no decision within 0.3 s" in ran.stderr) == (2, True)
    assert [told["went_on"] for told in outside.taken_failures(str(home))] == [False]


@pytest.mark.usefixtures("mute")
@pytest.mark.parametrize("told", [payload(), payload("PostToolUse")], ids=["shadow", "after the tool"])
def test_a_hook_that_runs_out_of_time_says_so_elsewhere(home, project, told):
    mode = {} if told["hook_event_name"] == "PreToolUse" else ENFORCE
    ran = hooked(project, told, **mode)
    assert (ran.returncode, "goes on unchecked: no decision within 0.3 s" in ran.stderr) == (1, True)
    assert [one["went_on"] for one in outside.taken_failures(str(home))] == [True]


def test_a_hook_without_an_answer_knows_what_was_enforced_last(guard, write, home, project):
    enforced(guard, write)
    write()
    assert hooking.late(payload(), str(home), {}).exit == 2
    assert hooking.late(payload(), str(home), {"OPENCODE_ENFORCEMENT_MODE": "shadow"}).exit == 1
    outside.switch_off(str(home), 60, "ann")
    assert hooking.late(payload(), str(home), {}).exit == 1
    outside.switch_back(str(home))
    guard.set_mode("database", Mode.SHADOW, actor="ann")
    write(session="t")
    assert hooking.late(payload(), str(home), {}).exit == 1


def test_what_is_installed_guards_whatever_the_path_and_the_folder_hold(project, home):
    settings = project / ".claude/settings.json"
    installing.install(settings)
    # A module of the project's own must not take the place of one that the hook needs.
    (project / "json.py").write_text("raise SystemExit(0)\n")
    (entry,) = json.loads(settings.read_text())["hooks"]["PreToolUse"][0]["hooks"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(hooking.__file__).parents[2]), **ENFORCE}
    ended = run_hook(entry["command"], json.dumps(payload()).encode(), timeout=60, environment=environment)
    assert (ended.exit, b"[BLOCK] database-verification" in ended.stderr) == (2, True)


def test_an_entry_of_an_older_version_is_renewed_in_its_place(tmp_path):
    settings = tmp_path / "settings.json"
    old = {"type": "command", "command": "control-plane guard hook", "timeout": 15}
    settings.write_text(json.dumps({"hooks": {"PreToolUse": [{"matcher": "Bash|Write", "hooks": [old]}]}}))
    assert installing.install(settings) == ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]
    told = json.loads(settings.read_text())["hooks"]["PreToolUse"]
    assert told == [{"matcher": "Bash|Write", "hooks": [{**old, "command": installing.command()}]}]
    assert installing.install(settings) == []

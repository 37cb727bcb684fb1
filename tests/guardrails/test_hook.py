"""The hook of Claude Code: its contract, a resident or none, and every way in which a hook can end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from control_plane import Arm, ControlPlane
from control_plane.guardrails import events as e
from control_plane.guardrails import hooking, installing, outside, port
from control_plane.guardrails.alone import decide_bare
from control_plane.guardrails.claude import reply
from control_plane.guardrails.errors import BadPayload
from control_plane.guardrails.hooking import Reply, hook
from control_plane.guardrails.replaying import read
from control_plane.guardrails.resident import AlreadyResident, Resident
from tests.guardrails.client import Ended, Outcome, merged, read_outcome, run_hook
from tests.guardrails.conftest import DB, write_rules
from tests.guardrails.ground import RULES

ENFORCE = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}


def payload(event: str = "PreToolUse", **more: Any) -> dict[str, Any]:
    told = {"session_id": "s", "hook_event_name": event, "tool_name": "Write",
            "tool_input": {"file_path": DB, "content": "x"}}  # fmt: skip
    return {**told, **more}


def no_plane(home: str) -> Any:
    raise OSError("the log does not open")


@pytest.mark.requirement("GUARD-17")
def test_pre_tool_use_denies_twice_over(guard):
    told = reply(guard, payload(), ENFORCE)
    said = json.loads(told.stdout)["hookSpecificOutput"]
    assert (told.exit, said["permissionDecision"]) == (2, "deny")
    assert "[BLOCK] database-verification" in told.stderr
    assert said["permissionDecisionReason"] in told.stderr


@pytest.mark.requirement("GUARD-17")
def test_what_is_allowed_is_never_a_permission(guard):
    """`allow` would overrule the user's own settings; we say nothing instead."""
    told = reply(guard, payload(), {})
    assert told.exit == 0
    said = json.loads(told.stdout)["hookSpecificOutput"]
    assert "permissionDecision" not in said
    assert said["additionalContext"].startswith("[BLOCK-SHADOW]")
    assert reply(guard, payload(tool_input={"file_path": "src/app.ts", "content": "x"}), {}) == Reply(0)


@pytest.mark.requirement("GUARD-17")
def test_prompts_are_told_which_skills_fit_and_are_not_kept(guard, plane):
    told = reply(guard, payload("UserPromptSubmit", prompt="write a prisma migration, secretly"), {})
    said = json.loads(told.stdout)["hookSpecificOutput"]
    assert (said["hookEventName"], said["additionalContext"][:32]) == (
        "UserPromptSubmit", "[SUGGEST] database-verification:",
    )  # fmt: skip
    plane.flush()
    assert all(b"secretly" not in row[4] for row in plane.ledger.rows(0, 1000))


@pytest.mark.requirement("GUARD-17")
def test_post_tool_use_makes_a_skill_count_and_an_edit_known(guard):
    reply(guard, payload("PostToolUse", tool_name="Skill", tool_input={"skill": "database-verification"}), {})
    reply(guard, payload("PostToolUse"), {})
    guard.ledger.flush()
    assert guard.state().sessions["s"].edited == [DB]
    assert reply(guard, payload(), ENFORCE).exit == 0


@pytest.mark.requirement("GUARD-17")
def test_stop_blocks_with_the_failures_three_times_and_no_more(guard, project):
    (project / "pyproject.toml").write_text("[tool.ruff]\n")
    (project / "ruff").write_text("#!/bin/sh\necho it is broken; exit 1\n")
    (project / "ruff").chmod(0o755)
    environment = {"PATH": f"{project}:{os.environ['PATH']}"}
    guard.set_stop("", "execute", actor="ann")
    reply(guard, payload("PostToolUse", tool_input={"file_path": "a.py", "content": "x"}), {})
    # A client that forgets its own count, or says so with stop_hook_active, changes nothing.
    told = [reply(guard, payload("Stop", stop_hook_active=n > 0), environment) for n in range(5)]
    said = [json.loads(one.stdout) for one in told]
    assert [one.get("decision") for one in said] == ["block"] * 3 + [None] * 2
    assert "it is broken" in said[0]["reason"]
    assert "after 3 rounds" in said[3]["systemMessage"]
    assert {one.exit for one in told} == {0}


def test_an_unknown_event_is_none_of_our_business(guard):
    assert reply(guard, payload("Notification"), ENFORCE) == Reply(0)


@pytest.fixture
def resident(plane: ControlPlane) -> Iterator[Resident]:
    with Resident(plane.guard) as resident:
        yield resident


def test_a_resident_that_ends_leaves_the_name_to_the_next(plane, home):
    first = Resident(plane.guard).start()
    ending, others = first._thread, list[Resident]()

    class Meanwhile:
        """Another process becomes the resident while this one still waits for its thread."""

        def is_alive(self) -> bool:
            return True

        def join(self, patience: float) -> None:
            ending.join(patience)
            others.append(Resident(plane.guard))

    first._thread = Meanwhile()
    first.close()
    with others[0]:
        assert port.ask(str(home), {"hook": payload(), "env": {}}, 5.0) is not None


def test_the_resident_answers_and_a_second_one_is_refused(resident, plane, home, guard):
    told = hook(json.dumps(payload()).encode(), str(home), ENFORCE, no_plane)
    assert (told.exit, "[BLOCK]" in told.stderr) == (2, True)
    with pytest.raises(AlreadyResident):
        Resident(guard)
    with Resident.beside(guard):
        pass
    assert hook(json.dumps(payload()).encode(), str(home), ENFORCE, no_plane).exit == 2


def test_a_resident_in_trouble_sends_the_hook_to_decide_alone(resident, guard, home, monkeypatch, project):
    monkeypatch.setattr(guard, "check", lambda *_, **__: 1 / 0)
    told = hook(json.dumps(payload()).encode(), str(home), ENFORCE, no_plane)
    assert (told.exit, "has no log" in told.stderr) == (2, True)


@pytest.mark.requirement("GUARD-21")
def test_without_a_resident_the_hook_opens_the_log_itself(home, project):
    def opening(place: str) -> ControlPlane:
        return ControlPlane.open(place, catalogue=[Arm("acme/one")], background=False)

    told = hook(json.dumps(payload()).encode(), str(home), ENFORCE, opening)
    assert told.exit == 2
    with opening(str(home)) as plane:
        assert [type(event) for _, event in read(plane.ledger)] == [e.RulesLoaded, e.Decided]


@pytest.mark.requirement("GUARD-21")
@pytest.mark.parametrize(
    ("environment", "on_error", "code"),
    [(ENFORCE, "allow", 2), ({}, "allow", 1), ({}, "block", 2), ({"OPENCODE_ENFORCEMENT_MODE": "off"}, "block", 1)],
)
def test_without_a_log_the_files_decide_and_on_error_holds(home, project, plane, environment, on_error, code):
    rules = json.loads(json.dumps(RULES))
    rules["skills"]["database-verification"]["onError"] = on_error
    write_rules(project, rules)
    told = decide_bare(payload(), str(home), environment, "it is gone")
    assert (told.exit, "has no log: it is gone" in told.stderr) == (code, True)
    plane.guard.absorb()
    plane.flush()
    (failure,) = [event for _, event in read(plane.ledger) if isinstance(event, e.HookFailed)]
    assert (failure.session, failure.tool, failure.went_on) == ("s", "Write", code != 2)


def test_a_call_that_cannot_be_looked_at_is_stopped_where_a_rule_wants_that(home, project, monkeypatch):
    from control_plane.guardrails import alone

    monkeypatch.setattr(alone, "observe", lambda *_, **__: 1 / 0)
    assert decide_bare(payload(), str(home), {}, "gone").exit == 1
    rules = json.loads(json.dumps(RULES))
    rules["skills"]["secrets-guard"]["onError"] = "block"
    write_rules(project, rules)
    told = decide_bare(payload(), str(home), {}, "gone")
    assert (told.exit, "could not be looked at" in told.stderr) == (2, True)
    assert decide_bare(payload(tool_name="Read"), str(home), {}, "gone").exit == 1


BAD = {
    "empty": b"", "no JSON": b"{", "no object": b"[1]", "no event": b"{}", "event is a number": b'{"hook_event_name": 3}',
    "too deep": b"[" * 100_000, "huge": b" " * (hooking.LARGEST + 1),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_payload_that_makes_no_sense_is_never_a_silent_yes(text, home, project):
    told = hook(text, str(home), ENFORCE, no_plane)
    assert (told.exit, told.stdout) == (1, "")
    assert "goes on unchecked" in told.stderr
    assert len(outside.taken_failures(str(home))) == 1


def test_a_payload_that_is_not_utf8_is_read_all_the_same(home, project):
    text = json.dumps(payload(tool_input={"file_path": "src/db/X.ts", "content": "x"})).encode().replace(b"X", b"\xff")
    assert hook(text, str(home), ENFORCE, no_plane).exit == 2


EVENTS = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop")
ENDS: dict[str, tuple[str, float]] = {
    "exit 0": ("", 20), "exit 1": ("sys.exit(1)", 20), "exit 2": ("sys.stderr.write('no'); sys.exit(2)", 20),
    "exit 126": ("sys.exit(126)", 20), "exit 127": ("sys.exit(127)", 20), "signal": ("os.kill(os.getpid(), 9)", 20),
    "time-out": ("sys.stdout.flush(); import time; time.sleep(60)", 0.3), "bad JSON": ("print('{\"decision\": ')", 20),
    "JSON with exit 2": ("sys.stderr.write('no'); sys.exit(2)", 20),
    "not UTF-8": ("sys.stdout.flush(); sys.stdout.buffer.write(b'\\xff\\xfe')", 20),
}  # fmt: skip
DECISIONS = ("allow", "deny", "ask")


def said_by(event: str, decision: str) -> dict[str, Any]:
    if event == "PreToolUse":
        return {"hookSpecificOutput": {"hookEventName": event, "permissionDecision": decision}}
    return {"decision": "block"} if decision == "deny" else {"decision": decision}


@pytest.fixture(scope="module")
def ended() -> Mapping[tuple[str, str, str], Ended]:
    """Real processes, each end once for each decision that it had printed."""
    found = {}
    for event, decision in (("PreToolUse", one) for one in DECISIONS):
        for end, (code, patience) in ENDS.items():
            printed = json.dumps(said_by(event, decision))
            source = f"import os, sys\nprint({printed!r})\n{code}"
            command = [sys.executable, "-S", "-c", source]
            found[event, decision, end] = run_hook(command, b"{}", timeout=patience, environment=os.environ)
    return found


@pytest.mark.requirement("GUARD-39")
@pytest.mark.parametrize("on_error", ["allow", "block"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("event", EVENTS)
def test_no_end_of_a_hook_is_a_silent_yes(ended, event, decision, end, on_error):
    how = ended["PreToolUse", decision, end]
    if event != "PreToolUse":
        how = how._replace(
            stdout=how.stdout.replace(
                json.dumps(said_by("PreToolUse", decision)).encode(), json.dumps(said_by(event, decision)).encode()
            )
        )
    outcome = read_outcome(event, how, on_error=on_error)
    if end in ("exit 2", "JSON with exit 2"):
        assert (outcome.decision, outcome.reason) == ("deny", "no")
    elif end == "exit 0":
        assert (outcome.decision, outcome.error) == (decision, "")
    else:
        assert outcome.decision == ("deny" if on_error == "block" else "allow")
        assert outcome.error


def test_a_hook_that_cannot_start_does_not_lock_the_tools():
    missing = run_hook(["/nowhere/hook"], b"{}", timeout=5, environment={})
    assert read_outcome("PreToolUse", missing) == Outcome("allow", "", read_outcome("PreToolUse", missing).error)
    assert "not found" in read_outcome("PreToolUse", missing).error
    forbidden = run_hook(["/"], b"{}", timeout=5, environment={})
    assert "cannot be run" in read_outcome("PreToolUse", forbidden).error
    assert "in time" in read_outcome("PreToolUse", Ended(None, timed_out=True)).error


def test_of_several_hooks_the_hardest_decides():
    order = ["allow", "ask", "defer", "deny"]
    for hard in range(4):
        for soft in range(hard + 1):
            assert merged([Outcome(order[soft]), Outcome(order[hard])]).decision == order[hard]
    assert merged([Outcome("allow", error="x"), Outcome("allow")]).error == "x"


@pytest.mark.requirement("GUARD-18")
def test_install_writes_the_settings_entry_and_takes_only_its_own_out(tmp_path):
    settings = tmp_path / ".claude/settings.json"
    settings.parent.mkdir()
    theirs = {"type": "command", "command": "their-hook"}
    before = {"model": "x", "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [theirs]}]}}
    settings.write_text(json.dumps(before))
    assert installing.install(settings) == ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]
    assert installing.install(settings) == []
    told = json.loads(settings.read_text())
    assert told["hooks"]["PreToolUse"][1] == {
        "matcher": "*", "hooks": [{"type": "command", "command": installing.command(), "timeout": 15}],
    }  # fmt: skip
    assert set(installing.remove(settings)) == {"UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"}
    assert json.loads(settings.read_text()) == before
    settings.write_text("{")
    with pytest.raises(BadPayload):
        installing.install(settings)
    assert settings.read_text() == "{"


@pytest.mark.requirement("GUARD-20")
def test_the_fast_path_loads_nothing_but_the_standard_library_and_our_port(resident, home, project):
    source = (
        "import sys\nfrom control_plane.cli import main\ncode = main(['guard', 'hook'])\n"
        "ours = {m for m in sys.modules if m.startswith('control_plane')}\n"
        "others = {m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'control_plane', '__main__'}\n"
        "print(code, sorted(ours), sorted(m for m in others if m not in BEFORE), file=sys.stderr)"
    )
    source = f"import sys; BEFORE = {{m.partition('.')[0] for m in sys.modules}}\n{source}"
    root = str(Path(hooking.__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", source], input=json.dumps(payload(tool_input={"file_path": "src/app.ts"})), text=True,
        capture_output=True, timeout=60, check=True, cwd=project, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    told = ran.stderr.strip().splitlines()[-1]
    assert told.startswith("0 [")
    assert told.endswith(" []")
    for heavy in ("plane'", "alone", "service", "argparse", "parsing"):
        assert heavy not in told.partition("]")[0].replace("control_plane'", "")


def cost(command: list[str], **options: Any) -> float:
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, timeout=60, check=False, **options)
    return time.perf_counter() - began


@pytest.mark.long
@pytest.mark.requirement("GUARD-19")
def test_through_the_resident_a_hook_takes_at_most_60_ms(resident, home, project):
    """Interpreter included, p95 of 100 in the best of five rounds; beside it a bare interpreter, turn by turn."""
    environment = {**os.environ, "PYTHONPATH": str(Path(hooking.__file__).parents[2])}
    source = "import sys; from control_plane.cli import main; sys.exit(main())"
    text, rounds = json.dumps(payload()).encode(), []
    for _ in range(5):
        pairs = [
            (
                cost([sys.executable, "-c", source, "guard", "hook"], input=text, cwd=project, env=environment),
                cost([sys.executable, "-c", "pass"], cwd=project, env=environment),
            )
            for _ in range(100)
        ]  # fmt: skip
        hooked, bare = (sorted(one) for one in zip(*pairs, strict=True))
        rounds.append((hooked[94], hooked[50] / bare[50], bare[94]))
    guard_p95, ratio, bare_p95 = min(rounds)
    print(f"p95 {guard_p95 * 1e3:.0f} ms, {ratio:.1f} bare interpreters, whose p95 is {bare_p95 * 1e3:.0f} ms")
    assert guard_p95 <= 0.060, rounds


def test_a_home_with_a_long_name_has_a_port_too(tmp_path):
    home = tmp_path / ("long-" * 30)
    home.mkdir()
    with port.address(str(home)) as path:
        assert len(path) < 100

"""Calls that nobody means well: no fault, no silent yes, and the log holds every one of them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.guardrails import answering
from control_plane.guardrails.hooking import hook
from control_plane.guardrails.terms import Decision
from tests.guardrails.conftest import DB

ENFORCE = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}
SIGNS = st.text(alphabet="\0\ud800\udc80ab/.~$(){}<>|&;'\"`\\\n \u202e*?[]!=", max_size=40)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["file_path", "path", "command", "content", "edits", "new_string", "patch", "skill"]) | SIGNS,
    SIGNS | st.lists(SIGNS, max_size=2) | st.none() | st.integers() | st.dictionaries(SIGNS, SIGNS, max_size=2),
    max_size=4,
)
TOOLS = st.sampled_from(["Write", "Bash", "multiedit", "Skill", "apply_patch", "mcp__x__write_file", "\ud800"])


@pytest.mark.parametrize(
    "path",
    ["src/db/\ud800.ts", "src/db/\0.ts", "src/db/" + "a" * 300 + ".ts", "src/db/\n.ts",
     "src//db/./x.ts", "./src/db/../db/x.ts", "src/db/x.ts/", "src/db/x.ts\u200b", "ＳＲＣ/db/x.ts"],
)  # fmt: skip
def test_a_name_that_is_no_name_is_checked_all_the_same(guard, path):
    told = answering.check(guard, "Write", {"file_path": path, "content": "\ud800"}, session="s\ud800", told=ENFORCE)
    assert (told.decision, told.warning) == (Decision.BLOCK, "")
    guard.ledger.flush()
    assert guard.state().counts.blocks == 1


def test_a_hook_with_half_a_character_blocks_as_any_other(home, project):
    told = {"session_id": "\ud800", "hook_event_name": "PreToolUse", "tool_name": "Write",
            "tool_input": {"file_path": f"{DB}\ud800/../client.ts"}}  # fmt: skip

    def no_plane(_: str) -> None:
        raise OSError("gone")

    assert hook(json.dumps(told).encode(), str(home), ENFORCE, no_plane).exit == 2


@settings(
    max_examples=30, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(tool=TOOLS, arguments=ARGUMENTS, cwd=SIGNS, session=SIGNS)
def test_no_call_is_a_fault_and_all_of_them_replay(guard, plane, tool, arguments, cwd, session):
    told = answering.check(guard, tool, arguments, session=session, cwd=cwd)
    assert "could not look" not in told.warning
    guard.finished(tool, arguments, session=session, cwd=cwd)
    answering.prompt(guard, str(arguments), session=session)
    answering.stop(guard, session, cwd=cwd.replace("\0", ""), edited=[str(arguments)[:50]])


def test_what_nasty_calls_left_behind_replays(guard):
    for arguments in ({"file_path": "\ud800"}, {"command": "echo $'\\ud800' > \udc80"}, {"command": "(" * 500}):
        answering.check(guard, "Bash" if "command" in arguments else "Write", arguments, session="s")
    again = guard.replay()
    assert (again.decisions, again.same) == (3, 3)

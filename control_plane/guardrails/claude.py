"""Claude Code's hooks: their payloads in, their answers out."""

import json
from collections.abc import Mapping
from typing import Any

from .hits import Answer
from .hooking import Reply
from .observing import is_edit
from .service import Guard, outside_of
from .stopping import Stopped, stop
from .terms import Decision

CLIENT = "claude-code"


def reply(guard: Guard, payload: Mapping[str, Any], environment: Mapping[str, str]) -> Reply:
    """What the hook answers; an event that we do not know is none of our business."""
    event, session = str(payload.get("hook_event_name", "")), str(payload.get("session_id") or "unknown")
    tool, told = str(payload.get("tool_name", "")), payload.get("tool_input")
    arguments = told if isinstance(told, dict) else {}
    cwd = str(payload.get("cwd") or "")
    if event == "UserPromptSubmit":
        text = str(payload.get("prompt", ""))
        return _spoken(event, guard.prompt(text, session=session, client=CLIENT, environment=environment))
    if event == "PreToolUse":
        answer = guard.check(
            tool, arguments, session=session, event=event, client=CLIENT, cwd=cwd, environment=environment
        )  # fmt: skip
        return _judged(answer, outside_of(guard.project, cwd))
    if event == "PostToolUse":
        if is_edit(tool) or tool.lower() == "skill":
            guard.finished(tool, arguments, session=session, cwd=cwd)
        return Reply(0)
    if event in ("Stop", "SubagentStop"):
        return _stopped(stop(guard, session, environment))
    return Reply(0)


def _judged(answer: Answer, uncovered: str) -> Reply:
    if answer.live is not Decision.BLOCK:
        return _spoken("PreToolUse", answer, uncovered)
    # Twice over: a client that reads the one and not the other must stop all the same.
    decided = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": answer.message,
    }
    return Reply(2, json.dumps({"hookSpecificOutput": decided}) + "\n", answer.message + "\n")


def _spoken(event: str, answer: Answer, uncovered: str = "") -> Reply:
    """Never a permission: what we have nothing against is for the client and its user to decide."""
    said: dict[str, Any] = {}
    if answer.message:
        said["hookSpecificOutput"] = {"hookEventName": event, "additionalContext": answer.message}
    notes = [f"guard rules: {answer.alert}; the last good version is in force"] if answer.alert else []
    notes += [uncovered] if uncovered else []
    notes += [f"guardrails are {answer.skip}"] if answer.skip.startswith("switched off") else []
    if notes:
        said["systemMessage"] = "; ".join(notes)
    return Reply(0, json.dumps(said) + "\n" if said else "")


def _stopped(stopped: Stopped) -> Reply:
    if stopped.blocks:
        return Reply(0, json.dumps({"decision": "block", "reason": stopped.message}) + "\n")
    return Reply(0, json.dumps({"systemMessage": stopped.message}) + "\n" if stopped.message else "")

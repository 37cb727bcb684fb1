"""`guard hook`: a client's JSON on stdin, its answer by the client's contract; standard library only until it is alone.

Exit 0 lets the call go on, exit 2 stops it with stderr for the model, exit 1 lets it go on with an error for a person.
"""

import _thread
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from . import outside, port

# The client gives up after 15 s, and takes that for a yes.
LARGEST, DEADLINE_S = 8 << 20, 10.0


class Reply(NamedTuple):
    """What the hook's process does: its exit code, and what it prints where."""

    exit: int
    stdout: str = ""
    stderr: str = ""


def hook(text: bytes, home: str, environment: Mapping[str, str], opening: Callable[[str], Any]) -> Reply:
    """The resident's answer, else our own; whatever goes wrong is said aloud and kept for the log."""
    payload: dict[str, Any] = {}
    try:
        payload = read_payload(text)
        stops = payload["hook_event_name"] in ("Stop", "SubagentStop")
        with contextlib.nullcontext() if stops else in_time(payload, home, environment):
            told = port.ask(home, {"hook": payload, "env": dict(environment)}, port.STOP_S if stops else port.ANSWER_S)
            if told is not None:
                return Reply(int(told["exit"]), str(told.get("stdout", "")), str(told.get("stderr", "")))
            from .alone import decide_alone  # noqa: PLC0415 - the heavy part, only when nobody else answers

            return decide_alone(payload, home, environment, opening)
    except Exception as fault:  # a hook that fails must say so, whatever it was
        return failed(payload, home, f"{type(fault).__name__}: {fault}")


@contextlib.contextmanager
def in_time(payload: Mapping[str, Any], home: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Whatever holds this process up, it ends with an answer: a hook that is ended by its client would be a yes."""
    working = _thread.allocate_lock()
    working.acquire()

    def watch() -> None:
        if not working.acquire(timeout=DEADLINE_S):
            told = late(payload, home, environment)
            os.write(2, told.stderr.encode())
            os._exit(told.exit)

    _thread.start_new_thread(watch, ())
    try:
        yield
    finally:
        working.release()


def late(payload: Mapping[str, Any], home: str, environment: Mapping[str, str]) -> Reply:
    """Out of time: a tool is stopped where guardrails are enforced."""
    reason = f"no decision within {DEADLINE_S:g} s"
    told = environment.get("OPENCODE_ENFORCEMENT_MODE", "").strip()
    enforced = told == "enforce" if told in ("off", "shadow", "enforce") else outside.enforced(home)
    if payload["hook_event_name"] != "PreToolUse" or not enforced or outside.switched_off(home, outside.now()):
        return failed(payload, home, reason)
    outside.keep_failure(home, *named(payload), reason, went_on=False)
    cure = "For a person: `control-plane doctor` says what is wrong, `control-plane guard off --for 1h` is the way out."
    return Reply(2, "", f"[BLOCK] guardrails are enforced and could not look at this call: {reason}. {cure}\n")


def failed(payload: Mapping[str, Any], home: str, reason: str) -> Reply:
    """The call goes on, but nobody can take it for a checked one."""
    outside.keep_failure(home, *named(payload), reason, went_on=True)
    return Reply(1, "", f"control-plane guard could not check this call, it goes on unchecked: {reason[:500]}\n")


def named(payload: Mapping[str, Any]) -> tuple[str, str, str]:
    """Session, event and tool, as a record of a failure names them."""
    session, event, tool = (str(payload.get(name, ""))[:200] for name in ("session_id", "hook_event_name", "tool_name"))
    return session, event, tool


def read_payload(text: bytes) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise ValueError(f"the payload has {len(text):,} bytes, the limit is {LARGEST:,}")
    told = json.loads(text.decode("utf-8", "replace"))
    if not isinstance(told, dict):
        raise ValueError("the payload is not an object")
    if not isinstance(told.get("hook_event_name"), str):
        raise ValueError("the payload names no hook_event_name")
    return told


def home_beside(named: str | None, environment: Mapping[str, str]) -> str:
    """The home as the rest of the house finds it, without asking the rest of the house."""
    told = named or environment.get("CONTROL_PLANE_HOME", "")
    if told.startswith(("postgres://", "postgresql://")):
        told = environment.get("CONTROL_PLANE_STATE", "")
    project = environment.get("CLAUDE_PROJECT_DIR") or os.getcwd()
    return os.path.expanduser(told) if told else os.path.join(project, ".opencode", "control-plane")

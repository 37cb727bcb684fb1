"""What a hook's end means to the client that called it; nothing but a clean yes passes without a word."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from control_plane import posix

ORDER = ("allow", "ask", "defer", "deny")
_BLOCKING = {"PreToolUse", "UserPromptSubmit", "Stop", "SubagentStop", "PostToolUse"}
LARGEST_OUTPUT = 1 << 20


class Ended(NamedTuple):
    """How the hook's process ended; `exit` None when it was killed by `signal` or ran out of time."""

    exit: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    signal: int | None = None
    timed_out: bool = False


class Outcome(NamedTuple):
    """`decision` allow, ask, defer or deny; `error` is never empty when the hook did not come to a clean end."""

    decision: str
    reason: str = ""
    error: str = ""
    context: str = ""


def read_outcome(event: str, ended: Ended, *, on_error: str = "allow") -> Outcome:
    """Exit 0 is read as JSON or as nothing, exit 2 stops whatever stdout says, all else is an error by `on_error`."""
    if ended.exit == 2:
        reason = ended.stderr.decode("utf-8", "replace").strip() or "a hook stopped this without a reason"
        return Outcome("deny" if event in _BLOCKING else "allow", reason, "" if event in _BLOCKING else reason)
    if ended.exit != 0:
        return _error(_end(ended), on_error)
    return _said(ended.stdout.strip(), on_error)


def _said(text: bytes, on_error: str) -> Outcome:
    """What a hook that ended well has to say."""
    if not text:
        return Outcome("allow")
    try:
        told = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        return _error("the hook's output is not UTF-8", on_error)
    except ValueError:
        broken = text[:1] in (b"{", b"[")
        words = Outcome("allow", context=text.decode("utf-8"))
        return _error("the hook's output is no JSON", on_error) if broken else words
    return _read(told, on_error) if isinstance(told, dict) else _error("the hook's JSON is not an object", on_error)


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """Of several hooks the hardest decides, and every error stays."""
    hardest = max(outcomes, key=lambda one: ORDER.index(one.decision), default=Outcome("allow"))
    errors = "; ".join(one.error for one in outcomes if one.error)
    return hardest._replace(error=errors, context="\n".join(one.context for one in outcomes if one.context))


def run_hook(command: Sequence[str] | str, payload: bytes, *, timeout: float, environment: Mapping[str, str]) -> Ended:
    """Run a hook as a client would, a text by a shell; when its time is over, its whole group goes."""
    posix.needed_for("running a hook as a client would")
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command] if isinstance(command, str) else list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(environment), start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError as fault:
        return Ended(127, b"", str(fault).encode())
    except OSError as fault:
        return Ended(126, b"", str(fault).encode())
    try:
        stdout, stderr = process.communicate(payload, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        return Ended(None, stdout[:LARGEST_OUTPUT], stderr[:LARGEST_OUTPUT], timed_out=True)
    code = process.returncode
    killed = -code if code < 0 else None
    return Ended(None if killed else code, stdout[:LARGEST_OUTPUT], stderr[:LARGEST_OUTPUT], killed)


def _read(told: dict[str, Any], on_error: str) -> Outcome:
    inner = told.get("hookSpecificOutput")
    inner = inner if isinstance(inner, dict) else {}
    decisions = [one for one in (inner.get("permissionDecision"), told.get("decision")) if one is not None]
    words = {"approve": "allow", "block": "deny"}
    read = [words.get(str(one), str(one)) for one in decisions]
    if told.get("continue") is False:
        read.append("deny")
    unknown = [one for one in read if one not in ORDER]
    if unknown:
        return _error(f"the hook decided {unknown[0][:50]!r}, which nobody knows", on_error)
    reason = str(inner.get("permissionDecisionReason") or told.get("reason") or told.get("stopReason") or "")
    hardest = max(read, key=ORDER.index, default="allow")
    return Outcome(hardest, reason, "", str(inner.get("additionalContext") or ""))


def _error(error: str, on_error: str) -> Outcome:
    return Outcome("deny" if on_error == "block" else "allow", error if on_error == "block" else "", error)


def _end(ended: Ended) -> str:
    if ended.timed_out:
        return "the hook did not answer in time"
    if ended.signal is not None:
        return f"the hook was killed by signal {ended.signal}"
    words = {126: "the hook cannot be run", 127: "the hook was not found"}
    told = ended.stderr.decode("utf-8", "replace").strip()[:300]
    return f"{words.get(ended.exit or 0, f'the hook ended with {ended.exit}')}{f': {told}' if told else ''}"

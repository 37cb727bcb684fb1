"""What works without a plane: the switch that a person throws from outside, and failures kept until one opens.

Standard library only, and little of it: a hook reads this before anything else.
"""

import contextlib
import json
import os

from ..clock import Clock
from ..replacing import replace

OFF, FAILURES, ENFORCED = "guard-off.json", "guard-failures.jsonl", "guard-enforced"
LONGEST_OFF, MOST_FAILURES = 24 * 3600.0, 1 << 20


def now() -> float:
    return Clock().now()


def switch_off(home: str, seconds: float, actor: str) -> float:
    """Put the guardrails out until then; answers when they come back."""
    began = now()
    until = began + min(max(seconds, 0.0), LONGEST_OFF)
    os.makedirs(home, mode=0o700, exist_ok=True)
    replace(os.path.join(home, OFF), json.dumps({"began": began, "until": until, "actor": actor}).encode(), mode=0o600)
    return until


def switch_back(home: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(home, OFF))


def switched_off(home: str, at: float) -> dict[str, float | str] | None:
    """The switch as a person left it, while it holds; a switch that cannot be read does not hold."""
    try:
        with open(os.path.join(home, OFF), encoding="utf-8") as file:
            told = json.load(file)
        began, until = float(told["began"]), float(told["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    fits = until - began <= LONGEST_OFF + 1 and began <= at + 60
    return {"began": began, "until": until, "actor": str(told.get("actor", ""))[:100]} if fits and until > at else None


def tell_enforced(home: str, enforced: bool) -> None:
    """Leave word for hooks that get no answer."""
    path = os.path.join(home, ENFORCED)
    with contextlib.suppress(OSError):
        if enforced:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        else:
            os.unlink(path)


def enforced(home: str) -> bool:
    """Whether anything was enforced when a call was decided last."""
    return os.path.exists(os.path.join(home, ENFORCED))


def keep_failure(home: str, session: str, event: str, tool: str, reason: str, *, went_on: bool) -> None:
    """A line for the next plane that opens; a hook that fails must not fail once more over this."""
    told = {
        "at": now(),
        "session": session,
        "event": event,
        "tool": tool,
        "reason": reason[:500],
        "went_on": went_on,
    }
    try:
        os.makedirs(home, mode=0o700, exist_ok=True)
        path = os.path.join(home, FAILURES)
        if not os.path.exists(path) or os.path.getsize(path) < MOST_FAILURES:
            with open(path, "a", encoding="utf-8", opener=_private) as file:
                file.write(json.dumps(told) + "\n")
    except OSError:
        pass


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def taken_failures(home: str) -> list[dict[str, object]]:
    """What hooks left behind, each once."""
    path = os.path.join(home, FAILURES)
    taken = f"{path}.{os.getpid()}"
    try:
        os.replace(path, taken)
        with open(taken, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        os.unlink(taken)
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            found.append(told)
    return found

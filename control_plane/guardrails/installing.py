"""The entries in Claude Code's settings that call our hook; what else stands there stays as it is."""

import json
from pathlib import Path
from typing import Any

from ..replacing import replace
from .errors import BadPayload

EVENTS = {"UserPromptSubmit": 15, "PreToolUse": 15, "PostToolUse": 15, "Stop": 900}
COMMAND = "control-plane guard hook"


def install(settings: Path, command: str = COMMAND) -> list[str]:
    """Add what is missing; answers the events that were added."""
    told = _read(settings)
    hooks = told.setdefault("hooks", {})
    added = []
    for event, timeout in EVENTS.items():
        groups = hooks.setdefault(event, [])
        if any(_ours(entry) for group in groups for entry in _entries(group)):
            continue
        group: dict[str, Any] = {"hooks": [{"type": "command", "command": command, "timeout": timeout}]}
        groups.append({"matcher": "*", **group} if event.endswith("ToolUse") else group)
        added.append(event)
    if added:
        _write(settings, told)
    return added


def remove(settings: Path) -> list[str]:
    """Take out what is ours, and the empty shells around it."""
    told = _read(settings)
    hooks = told.get("hooks", {})
    removed = []
    for event in list(hooks):
        groups = hooks[event]
        kept = []
        for group in groups:
            rest = [entry for entry in _entries(group) if not _ours(entry)]
            if len(rest) == len(_entries(group)):
                kept.append(group)
            elif rest:
                kept.append({**group, "hooks": rest})
        if kept != groups:
            removed.append(event)
            hooks[event] = kept
        if not hooks[event]:
            del hooks[event]
    if "hooks" in told and not hooks:
        del told["hooks"]
    if removed:
        _write(settings, told)
    return removed


def _entries(group: Any) -> list[Any]:
    found = group.get("hooks", []) if isinstance(group, dict) else []
    return found if isinstance(found, list) else []


def _ours(entry: Any) -> bool:
    command = str(entry.get("command", "")) if isinstance(entry, dict) else ""
    return "guard hook" in command and ("control-plane" in command or "control_plane" in command)


def _read(settings: Path) -> dict[str, Any]:
    try:
        told = json.loads(settings.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as fault:
        raise BadPayload(
            f"{settings} cannot be read", why=str(fault), cure="mend it first; nothing was changed"
        ) from None
    if not isinstance(told, dict) or not isinstance(told.get("hooks", {}), dict):
        raise BadPayload(f"{settings} has another shape than settings have", cure="mend it first; nothing was changed")
    return told


def _write(settings: Path, told: dict[str, Any]) -> None:
    settings.parent.mkdir(parents=True, exist_ok=True)
    replace(settings, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())

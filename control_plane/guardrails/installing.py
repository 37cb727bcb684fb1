"""The entries in Claude Code's settings that call our hook; what else stands there stays as it is."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from ..replacing import replace
from .errors import BadPayload

EVENTS = {"UserPromptSubmit": 15, "PreToolUse": 15, "PostToolUse": 15, "Stop": 900}


def command() -> str:
    """For a shell with any PATH: this interpreter, which loads nothing from the folder that it is called in."""
    return f"{shlex.quote(sys.executable)} -P -m control_plane guard hook"


def install(settings: Path) -> list[str]:
    """Add what is missing, and renew what another version wrote; answers the events that were changed."""
    told = _read(settings)
    hooks = told.setdefault("hooks", {})
    changed = []
    for event, timeout in EVENTS.items():
        groups = hooks.setdefault(event, [])
        wanted = {"type": "command", "command": command(), "timeout": timeout}
        ours = [entry for group in groups for entry in _entries(group) if _ours(entry)]
        if not ours:
            groups.append({"matcher": "*", "hooks": [wanted]} if event.endswith("ToolUse") else {"hooks": [wanted]})
        elif all(wanted.items() <= entry.items() for entry in ours):
            continue
        for entry in ours:
            entry.update(wanted)
        changed.append(event)
    if changed:
        _write(settings, told)
    return changed


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

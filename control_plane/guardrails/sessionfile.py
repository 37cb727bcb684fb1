"""`.opencode/cache/hook-compat/<session>.json`: a copy for tools that know it. The truth is in the log."""

import json
import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..replacing import replace
from ..unlisted import unlist

FOLDER = ".opencode/cache/hook-compat"
MOST = 200


def session_file(project: str, session: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", session)[:100].lstrip(".") or "session"
    if name != session:
        name += "-" + blake2b(session.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return Path(project) / FOLDER / f"{name}.json"


def read_session(path: Path) -> dict[str, list[Any]]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        told = {}
    kept = told if isinstance(told, dict) else {}
    names = ("editedFiles", "appliedSkills", "violations", "payloadSamples")
    return {name: list(found) if isinstance(found := kept.get(name), list) else [] for name in names}


def update_session(project: str, session: str, news: dict[str, list[Any]], samples: int) -> Path:
    """Add what is new, keep the last two hundred; the whole file or none of it."""
    path = session_file(project, session)
    held = read_session(path)
    for name, listed in news.items():
        held[name] += [one for one in listed if name in ("payloadSamples", "violations") or one not in held[name]]
        most = min(samples, MOST) if name == "payloadSamples" else MOST
        held[name] = held[name][-most:] if most else []
    path.parent.mkdir(parents=True, exist_ok=True)
    unlist(path.parent)
    replace(path, json.dumps(held, indent=1, ensure_ascii=False).encode("utf-8", "replace"))
    return path

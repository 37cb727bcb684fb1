"""What a command's reader may ask about its surroundings, and what it found."""

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

# Stands in a text for what cannot be known without running the command.
UNKNOWN = "\ue000"
LARGEST_SCRIPT, MOST_FILES = 256 << 10, 2000
_PROC_CWD = re.compile(r"^/proc/(?:self|thread-self|\d+|\$\$)/cwd(?=/|$)")
_PROC_ROOT = re.compile(r"^/proc/(?:self|thread-self|\d+)/(?:root)(?=/|$)")


class Write(NamedTuple):
    """One file, or with `tree` everything under a folder, that a command would write; `content` None: not seen."""

    path: str
    content: str | None
    via: str
    tree: bool = False


class World:
    """The disk around one command, looked at and never touched."""

    def __init__(self, cwd: str, project: str, environment: Mapping[str, str], *, began: float = 0.0) -> None:
        self.cwd, self.project, self.environment, self.began = cwd, project, environment, began

    def absolute(self, path: str, cwd: str) -> str:
        """The path with `.` and `..` taken out, as its text says; links are another matter."""
        path = _PROC_ROOT.sub("", _PROC_CWD.sub(lambda _: cwd, path))
        joined = os.path.normpath(os.path.join(cwd, path)) if path else cwd
        return "/" + joined.lstrip("/")

    def read(self, path: str) -> str | None:
        try:
            if not os.path.isfile(path) or os.path.getsize(path) > LARGEST_SCRIPT:
                return None
            return Path(path).read_bytes().decode("utf-8", "replace")
        except (OSError, ValueError):
            return None

    def young(self, path: str) -> bool:
        """Whether the file came or changed after the session began; its change time cannot be set back."""
        try:
            return os.stat(path).st_ctime >= self.began
        except (OSError, ValueError):
            return True

    def is_folder(self, path: str) -> bool:
        try:
            return os.path.isdir(path)
        except ValueError:
            return False

    def matches(self, pattern: str) -> list[str]:
        try:
            found = glob.iglob(pattern, recursive=True, include_hidden=True)
            return [path for _, path in zip(range(MOST_FILES), found, strict=False)]
        except (OSError, ValueError, re.error):
            return []

    def files_under(self, folder: str) -> list[str]:
        found: list[str] = []
        for parent, folders, files in os.walk(folder):
            folders[:] = sorted(one for one in folders if one not in (".git", "node_modules", ".venv"))
            found += [os.path.join(parent, file) for file in files]
            if len(found) > MOST_FILES:
                break
        return found[:MOST_FILES]

"""What a command's reader may ask about its surroundings, and what it found."""

import os
import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .effort import Effort
from .walking import files_under, inside, matches

# Stands in a text for what cannot be known without running the command.
UNKNOWN = "\ue000"
LARGEST_SCRIPT = 256 << 10
_PROC_CWD = re.compile(r"^/proc/(?:self|thread-self|\d+|\$\$)/cwd(?=/|$)")
_PROC_ROOT = re.compile(r"^/proc/(?:self|thread-self|\d+)/(?:root)(?=/|$)")
# Files, and folders of files, whose text is for their owner alone.
_SECRET = re.compile(
    r"\.git|\.ssh|\.aws|\.gnupg|\.env(?!\.(?:example|sample|template)$)(?:\..*)?|\.netrc|\.npmrc|\.pypirc|\.pgpass|id_(?:rsa|dsa|ecdsa|ed25519).*"
    r"|.*\.(?:pem|key|p12|pfx|jwk|keystore|kdbx)|.*(?:secret|credential).*|token", re.IGNORECASE
)  # fmt: skip


class Write(NamedTuple):
    """One file, or with `tree` everything under a folder, that a command would write; `content` None: not seen."""

    path: str
    content: str | None
    via: str
    tree: bool = False


class Leaves(Enum):
    """What is left of a file's text behind a write: what was written, its own text, that and more, or nobody knows."""

    CONTENT, AS_IT_WAS, LONGER, CHANGED = range(4)


@lru_cache(maxsize=64)
def real(folder: str) -> str:
    return os.path.realpath(folder)


class World:
    """The disk around one command, looked at and never touched."""

    def __init__(
        self, cwd: str, project: str, environment: Mapping[str, str], *, began: float = 0.0, home: str = ""
    ) -> None:
        self.cwd, self.project, self.environment, self.began = cwd, project, environment, began
        self.effort = Effort()
        self.home = home
        self._root, self._home = real(project), real(home) if home else ""

    def absolute(self, path: str, cwd: str) -> str:
        """The path with `.` and `..` taken out, as its text says; links are another matter."""
        path = _PROC_ROOT.sub("", _PROC_CWD.sub(lambda _: cwd, path))
        joined = os.path.normpath(os.path.join(cwd, path)) if path else cwd
        return "/" + joined.lstrip("/")

    def read(self, path: str) -> str | None:
        """The text of a file that a command may quote: one of the project's, and no secret."""
        try:
            place = os.path.realpath(path)
        except (OSError, ValueError):
            return None
        secret = any(_SECRET.fullmatch(part) for part in place[len(self._root) :].split("/"))
        return self.program(path) if inside(place, self._root) and not secret else None

    def program(self, path: str) -> str | None:
        """The text of a file that is run, wherever it lies; nothing of it may reach the one who asked."""
        try:
            if not os.path.isfile(path) or os.path.getsize(path) > LARGEST_SCRIPT or self._of_a_home(path):
                return None
            return Path(path).read_bytes().decode("utf-8", "replace")
        except (OSError, ValueError):
            return None

    def _of_a_home(self, path: str) -> bool:
        """Whether the file belongs to a control plane: keys, tokens and records are for no command."""
        place = Path(os.path.realpath(path))
        return bool(self._home and inside(str(place), self._home)) or any(
            (folder / "home.json").exists() for folder in place.parents
        )

    def holds(self, path: str, *, exists: bool = False) -> bool:
        """Whether the path lies in the project, links followed, and is there."""
        try:
            return inside(os.path.realpath(path), self._root) and (not exists or os.path.exists(path))
        except (OSError, ValueError):
            return False

    def young(self, path: str) -> bool:
        """Whether the file came or changed after the session began; its change time cannot be set back."""
        try:
            return os.stat(path).st_ctime >= self.began
        except (OSError, ValueError):
            return True

    def is_file(self, path: str, *, runs: bool = False) -> bool:
        try:
            return os.path.isfile(path) and (not runs or os.access(path, os.X_OK))
        except ValueError:
            return False

    def is_folder(self, path: str) -> bool:
        try:
            return os.path.isdir(path)
        except ValueError:
            return False

    def matches(self, pattern: str) -> list[str]:
        try:
            return list(matches(pattern, self._root, self.effort))
        except (OSError, ValueError, re.error):
            return []

    def files_under(self, folder: str) -> list[str]:
        try:
            return list(files_under(folder, self._root, self.effort))
        except (OSError, ValueError):
            return []

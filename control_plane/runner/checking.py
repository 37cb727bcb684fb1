"""Runs the checks of a workspace and looks for what was expected there."""

import fnmatch
import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import posix, processes
from .tree import Tree
from .verdicts import Checked

TIMEOUT_S, LARGEST = 600.0, 200_000
_LINTERS = frozenset(
    ("ruff", "eslint", "mypy", "tsc", "flake8", "pylint", "prettier", "clippy", "vet", "lint", "typecheck")
)
_PATH = re.compile(
    r"(?<![\w/.:@-])((?:[\w.-]+/)*[\w-]+\.(?:py|js|ts|tsx|jsx|rs|go|md|txt|json|toml|yaml|yml|html|css|sh|c|h|sql))\b"
)


def run_check(
    command: Sequence[str], tree: Tree, env: Mapping[str, str], timeout_s: float = TIMEOUT_S,
    stop: threading.Event | None = None,
) -> Checked:  # fmt: skip
    """One command without a shell, in a group of its own that ends with it, or when the run is stopped."""
    posix.needed_for("a check of a workspace")
    before = tree.hash()
    ran = processes.run(command, tree.folder, {**env, "CI": "1"}, timeout_s, stop=stop, head=0, tail=LARGEST)
    if ran.fault:
        return Checked(tuple(command), None, ran.fault, before, kind_of(command))
    # A check may write what it always writes; what it leaves behind is what it vouches for.
    return Checked(tuple(command), ran.code, ran.said, tree.hash(), kind_of(command))


def kind_of(command: Sequence[str]) -> str:
    words = {os.path.basename(word) for word in command}
    return "lint" if words & _LINTERS and not words & {"pytest", "test", "unittest"} else "test"


def missing_from(folder: Path, expected: Sequence[str], changed: Sequence[str]) -> tuple[str, ...]:
    """Expected changes that did not come: a pattern must fit something that was added or changed."""
    return tuple(
        pattern for pattern in expected
        if not any(fnmatch.fnmatch(path, pattern) for path in changed if (folder / path).exists())
    )  # fmt: skip


def named_in(task: str) -> tuple[str, ...]:
    """Files that the task speaks of; told as a hint, they bind nobody."""
    return tuple(dict.fromkeys(_PATH.findall(task)))

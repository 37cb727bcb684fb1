"""Runs the checks of a workspace and looks for what was expected there."""

import contextlib
import fnmatch
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import posix
from .tree import Tree
from .verdicts import Checked

TIMEOUT_S, LARGEST, _SLICE_S = 600.0, 200_000, 0.1
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
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own check
                list(command), cwd=tree.folder, env={**env, "CI": "1"}, stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as fault:
            return Checked(tuple(command), None, str(fault), before, kind_of(command))
        try:
            code = _wait(process, timeout_s, stop or threading.Event())
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(max(0, said.seek(0, os.SEEK_END) - LARGEST))
        output = said.read().decode("utf-8", "replace")
    # A check may write what it always writes; what it leaves behind is what it vouches for.
    return Checked(tuple(command), code, output, tree.hash(), kind_of(command))


def _wait(process: "subprocess.Popen[bytes]", timeout_s: float, stop: threading.Event) -> int | None:
    left = timeout_s
    while left > 0 and not stop.is_set():
        try:
            return process.wait(_SLICE_S)
        except subprocess.TimeoutExpired:
            left -= _SLICE_S
    return None


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

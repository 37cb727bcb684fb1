"""Interpreters of other versions, each with a fresh environment of the pinned packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")
_ROOT = Path(__file__).parents[2]
_PINS = _ROOT / "requirements" / "base.txt"
PATIENCE_S = 300


def interpreter(version: str) -> str | None:
    """An interpreter of that version, if this machine has one: our own, one of pyenv, one on the path."""
    if version == ".".join(map(str, sys.version_info[:2])):
        return sys.executable
    roots = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python")
    return next(map(str, sorted(roots)), None) or shutil.which(f"python{version}")


def environment(base: str, folder: Path, pins: Path = _PINS) -> Path:
    """A bare environment in that folder with the pinned wheels in it, each with its hash; answers its python."""
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    for command in (
        [base, "-m", "venv", str(folder)],
        [*install, "--require-hashes", "--only-binary", ":all:", "-r", str(pins)],
    ):
        subprocess.run(command, check=True, timeout=PATIENCE_S, capture_output=True)  # noqa: S603 - our own pins
    return python

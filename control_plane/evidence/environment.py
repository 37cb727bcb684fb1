"""Where a proof ran, as far as it matters to others: no host, no user, no path."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import msgspec

_DISTRIBUTION = "opencode-control-plane"
_CHECKOUT = Path(__file__).parents[2]


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`commit` is empty outside a checkout; `changed` says that the files were not those of the commit."""

    python: str
    implementation: str
    platform: str
    machine: str
    cores: int
    package: str
    commit: str
    changed: bool


def snapshot(checkout: Path = _CHECKOUT) -> Environment:
    """The machine and the checkout of now, without host, user or path."""
    commit = _git(checkout, "rev-parse", "HEAD")
    return Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=platform.system(),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        package=_version(),
        commit=commit,
        changed=bool(commit and _git(checkout, "status", "--porcelain", "--untracked-files=no")),
    )


def _version() -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git(checkout: Path, *words: str) -> str:
    """What git answers about this very folder; nothing when it is no checkout or there is no git."""
    if not (checkout / ".git").exists():
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(checkout), *words]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
        return answer.stdout.strip()
    return ""

"""What may be wrong with an installation and its project: each examination looks at one thing and changes nothing."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import extras, posix
from ..errors import ControlPlaneError, PlatformUnsupported
from ..ledger.home import Home
from .home_ailments import LOOKS, Finding, said
from .homes import named_home

GIT_S = 10.0


def examine(arguments: argparse.Namespace) -> list[Finding]:
    home = named_home(arguments)
    found = [_python(), _extras()]
    for name, look in LOOKS.items():
        found.extend(said(name, look, home, arguments))
    found.extend(_commits(home))
    found.extend(_project())
    found.extend(_opencode(home))
    return found


def _python() -> Finding:
    seen = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro} on {sys.platform}"
    try:
        posix.needed_for("what runs other programs")
    except PlatformUnsupported as fault:
        return Finding("python", "note", f"{seen}: {fault.what} [{fault.code}]", fault.cure)
    return Finding("python", "ok", seen)


def _extras() -> Finding:
    missing = [name for name in extras.MODULES if extras.lacking(name)]
    there = [name for name in extras.MODULES if name not in missing]
    cure = f"if you want them: {extras.install(*missing)}" if missing else ""
    return Finding("extras", "ok" if not missing else "note", ", ".join(there) or "none", cure)


def _commits(home: Home) -> Iterator[Finding]:
    """Secrets that git would hand to everybody who clones."""
    git = shutil.which("git")
    if git is None or not home.root.is_dir():
        return
    asked = [git, "-C", str(home.root), "ls-files", "--", "keys", "token", "issuer.jwk", "webhook-secret"]
    try:
        done = subprocess.run(  # noqa: S603 - words of our own
            asked, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        yield Finding("git", "note", f"git does not say which keys it keeps: {type(fault).__name__}")
        return
    kept = done.stdout.split()
    if done.returncode == 0 and kept:
        taken = f"git -C {shlex.quote(str(home.root))} rm --cached {' '.join(kept)}"
        cure = f"{taken}, then control-plane ledger rotate-key"
        yield Finding("git", "wrong", f"git keeps {', '.join(kept)}: who clones has them", cure)


def _project() -> Iterator[Finding]:
    from ..router.catalogue import EXAMPLES, FILE, read_settings

    try:
        settings = read_settings(Path.cwd())
    except ControlPlaneError as fault:
        yield Finding("catalogue", "wrong", f"{fault.what}: {fault.why} [{fault.code}]", fault.cure or f"mend {FILE}")
        return
    if settings is not None and settings.example:
        cure = f"name your arms in {FILE}, and remove its line example = true"
        yield Finding("catalogue", "note", f"the example of {len(settings.arms)} arms in {FILE}", cure)
    elif settings is None or not settings.arms:
        cure = f"control-plane init writes {FILE}" if settings is None else f"name your arms in {FILE}"
        yield Finding("catalogue", "note", f"the example of {len(EXAMPLES)} arms", cure)
    else:
        yield Finding("catalogue", "ok", f"{len(settings.arms)} arms in {FILE}")


def _opencode(home: Home) -> Iterator[Finding]:
    from ..opencode import installing

    folders = [installing.plugin_folder(place, os.environ) for place in (Path.cwd(), None)]
    there = [str(folder) for folder in folders if installing.installed(folder) is not None]
    binary = shutil.which("opencode")
    if not there:
        if binary:
            yield Finding("opencode", "note", f"{binary}, without the plugin", "control-plane opencode install")
        return
    trouble = installing.read_json(home.root / installing.TROUBLE)
    if trouble:
        seen = f"the plugin went on without the control plane: {trouble.get('what')}"
        yield Finding("opencode", "wrong", seen, "control-plane opencode status")
    elif binary is None:
        yield Finding(
            "opencode", "note", f"the plugin is in {there[0]}, opencode is not on the PATH", "install OpenCode"
        )
    else:
        yield Finding("opencode", "ok", f"the plugin is in {', '.join(there)}")

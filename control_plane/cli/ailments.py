"""What may be wrong with an installation and its project: each examination looks at one thing and changes nothing."""

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import posix
from ..errors import ControlPlaneError, PlatformUnsupported
from ..ledger.home import Home
from .home_ailments import LOOKS, Finding, said
from .homes import named_home

EXTRAS = {"serve": "litestar", "mcp": "mcp", "postgres": "psycopg", "flags": "openfeature", "evals": "ir_measures"}


def examine(arguments: argparse.Namespace) -> list[Finding]:
    home = named_home(arguments)
    found = [_python(), _extras()]
    for name, look in LOOKS.items():
        found.extend(said(name, look, home, arguments))
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
    there = [name for name, module in EXTRAS.items() if importlib.util.find_spec(module)]
    missing = [name for name in EXTRAS if name not in there]
    cure = f"pip install 'opencode-control-plane[{','.join(missing)}]' if you want them" if missing else ""
    return Finding("extras", "ok" if not missing else "note", ", ".join(there) or "none", cure)


def _project() -> Iterator[Finding]:
    from ..router.catalogue import EXAMPLES, FILE, read_settings

    try:
        settings = read_settings(Path.cwd())
    except ControlPlaneError as fault:
        yield Finding("catalogue", "wrong", f"{fault.what}: {fault.why} [{fault.code}]", fault.cure or f"mend {FILE}")
        return
    if settings is None or not settings.arms or settings.example:
        yield Finding("catalogue", "note", f"the example of {len(EXAMPLES)} arms", f"control-plane init writes {FILE}")
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

"""What may be wrong with an installation and its home: each examination looks at one thing and changes nothing."""

import argparse
import contextlib
import importlib.util
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from .. import posix
from ..errors import ControlPlaneError, PlatformUnsupported
from ..ledger.home import Home
from .homes import named_home, reading, waiting_journals

State = Literal["ok", "note", "wrong"]
# Less than this, and a busy hour of journal and ledger may not fit.
ROOM_MB = 512
EXTRAS = {"serve": "litestar", "mcp": "mcp", "postgres": "psycopg", "flags": "openfeature", "evals": "ir_measures"}


class Finding(NamedTuple):
    what: str
    state: State
    seen: str
    cure: str = ""


def examine(arguments: argparse.Namespace) -> list[Finding]:
    home = named_home(arguments)
    found = [_python(), _extras()]
    for look in (_home, _ledger, _journals, _token, _room):
        found.extend(_said(look, home, arguments))
    found.extend(_project())
    found.extend(_opencode(home))
    return found


Look = Callable[[Home, argparse.Namespace], Iterator[Finding]]


def _said(look: Look, home: Home, arguments: argparse.Namespace) -> Iterator[Finding]:
    """What an examination says; what stops it is a finding too."""
    try:
        yield from look(home, arguments)
    except ControlPlaneError as fault:
        why = f": {fault.why}" if fault.why else ""
        yield Finding(look.__name__.strip("_"), "wrong", f"{fault.what}{why} [{fault.code}]", fault.cure)


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


def _home(home: Home, _: argparse.Namespace) -> Iterator[Finding]:
    if not home.exists():
        yield Finding(
            "home", "note", f"{home.root} is not made yet", "control-plane init, or the first advise, makes it"
        )
        return
    yield Finding("home", "ok", f"{home.root}, {home.identity().origin}")
    if home.recovery_key.exists():
        yield Finding(
            "recovery", "note", f"{home.recovery_key} is still here", "move it to a safe place offline: it outranks all"
        )


def _ledger(home: Home, arguments: argparse.Namespace) -> Iterator[Finding]:
    if not home.exists():
        return
    with reading(arguments) as opened:
        opened.check()
        opened.authority()
        size = opened.backend.size()
    yield Finding("ledger", "ok", f"{size:,} events; the head is signed, and continues what the witness saw")


def _journals(home: Home, _: argparse.Namespace) -> Iterator[Finding]:
    waiting = waiting_journals(home)
    if waiting:
        yield Finding("journals", "ok", f"{len(waiting)} of writers that run, or that the next opening commits")
    damaged = sorted(home.damaged.iterdir()) if home.damaged.is_dir() else []
    if damaged:
        yield Finding(
            "journals", "wrong", f"{len(damaged)} damaged parts lie in {home.damaged}", "control-plane ledger journal"
        )


def _token(home: Home, _: argparse.Namespace) -> Iterator[Finding]:
    with contextlib.suppress(FileNotFoundError):
        if os.name == "posix" and stat.S_IMODE(home.token.stat().st_mode) & 0o077:
            yield Finding("token", "wrong", f"others can read {home.token}", f"chmod 600 {home.token}")
        else:
            yield Finding("token", "ok", f"{home.token}, for `serve`")


def _room(home: Home, _: argparse.Namespace) -> Iterator[Finding]:
    place = next(folder for folder in (home.root, *home.root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free >> 20
    enough = free >= ROOM_MB
    yield Finding("disk", "ok" if enough else "wrong", f"{free:,} MB free", "" if enough else "make room")


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

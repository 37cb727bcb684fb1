"""What may be wrong with a home: its ledger, key, witness and clock, and what of it cannot be written."""

import argparse
import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ..clock import Clock
from ..errors import ControlPlaneError, KeyFault, KeyUnknown
from ..ledger.home import Home
from ..ledger.opening import Opened
from .faults import refused
from .homes import reading, waiting_journals
from .witnessing import sighting_of

State = Literal["ok", "note", "wrong"]
# Less than this, and a busy hour of journal and ledger may not fit.
ROOM_MB = 512
# So far back is looked for a wrong clock, and so far apart may the clocks of two hosts be.
NEWEST = 1_000
SKEW_S, DAY_S = 300.0, 86_400.0


class Finding(NamedTuple):
    what: str
    state: State
    seen: str
    cure: str = ""


def said(name: str, look: Callable[..., Iterator[Finding]], *given: object) -> Iterator[Finding]:
    """What an examination says; what stops it is a finding too."""
    try:
        yield from look(*given)
    except OSError as refusal:
        fault = refused(refusal)
        yield Finding(name, "wrong", f"{fault.what} [{fault.code}]", "let this user read and write the home")
    except ControlPlaneError as fault:
        why = f": {fault.why}" if fault.why else ""
        yield Finding(name, "wrong", f"{fault.what}{why} [{fault.code}]", fault.cure)


class _Timed(msgspec.Struct):
    """What every event has."""

    at: float


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
        for name, look in (("ledger", _head), ("key", _key), ("clock", _times)):
            yield from said(name, look, opened)


def _head(opened: Opened) -> Iterator[Finding]:
    opened.check()
    seen = sighting_of(opened)
    continues = "" if seen.state == "absent" else ", and continues what the witness saw"
    yield Finding("ledger", "ok", f"{seen.head:,} events; the head is signed{continues}")
    if seen.state == "absent":
        yield Finding(
            "witness",
            "wrong",
            f"there is none at {seen.path}: an older copy of the ledger would pass for the newest",
            f"compare position {seen.head:,} with a copy that you trust, then control-plane ledger witness --update",
        )


def _key(opened: Opened) -> Iterator[Finding]:
    home = opened.home
    restore = "restore it from a backup, or control-plane ledger recover-key --recovery-key FILE"
    try:
        opened.authority().check()
    except KeyFault as fault:
        # In a database that hosts share there may be one that admits this key; in a file there is no other host.
        alone = isinstance(fault, KeyUnknown) and home.address is None
        why = f": {fault.why}" if fault.why else ""
        cure = restore if alone else fault.cure or restore
        yield Finding("key", "wrong", f"{fault.what}{why} [{fault.code}], {home.key}", cure)
        return
    except ControlPlaneError:
        raise
    except Exception as damage:  # whoever reads keys has errors of many kinds for a damaged file
        yield Finding("key", "wrong", f"{home.key} cannot be read as a key: {type(damage).__name__}", restore)
        return
    yield Finding("key", "ok", f"{home.key} may sign")


def _times(opened: Opened) -> Iterator[Finding]:
    """Times come from the clocks of those who write; one that was wrong stays in the log for ever."""
    rows = opened.backend.rows(max(0, opened.backend.size() - NEWEST), NEWEST)
    times = [(position, msgspec.json.decode(state, type=_Timed).at) for position, _, _, _, state in rows]
    now = Clock().now()
    if times and times[-1][1] > now + SKEW_S:
        position, at = times[-1]
        yield Finding(
            "clock",
            "wrong",
            f"the newest event, {position:,}, is of {_day(at)}, and now is {_day(now)}",
            "set this host's clock right; if it is right, look who wrote that event: control-plane ledger export",
        )
    back = [(one, then) for (_, before), (one, then) in pairwise(times) if before - then > DAY_S]
    if back:
        position, at = back[-1]
        yield Finding(
            "clock",
            "note",
            f"times go back by more than a day before position {position:,}, of {_day(at)}",
            "keep the clocks of all hosts right (NTP): ages and windows are reckoned from these times",
        )


def _day(at: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return f"second {at:g}"


def _written(home: Home, _: argparse.Namespace) -> Iterator[Finding]:
    """What an advice or the next opening has to write: the folders, the databases, the journals of who is gone."""
    if not home.exists():
        return
    held = [home.root, home.root / "lock", home.database, home.views, home.memory, home.journal, home.deciding]
    held += [Path(f"{home.database}{rest}") for rest in ("-wal", "-shm")]
    for folder in waiting_journals(home):
        held += [folder, *sorted(folder.glob("*"))]
    closed = [path for path in held if _refuses(path)]
    if closed:
        more = f", and {len(closed) - 1:,} more" if len(closed) > 1 else ""
        yield Finding("writing", "wrong", f"{closed[0]} cannot be written{more}", _way_in(home.root))
    folder = next(place for place in (home.witness, *home.witness.absolute().parents) if place.exists())
    if _refuses(folder):
        yield Finding("writing", "wrong", f"the witness in {folder} cannot be written", _way_in(folder))


def _refuses(path: Path) -> bool:
    # As the process that asks: a command run by sudo, or without root's power over files, is judged as what it is.
    how = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return path.exists() and not os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _way_in(path: Path) -> str:
    if os.name != "posix" or os.statvfs(path).f_flag & os.ST_RDONLY:
        return "make its volume writable, or name another --home"
    if path.stat().st_uid == os.geteuid():
        return f"chmod -R u+rwX {path}"
    return f"run as its owner, or give it to this user: chown -R {os.geteuid()} {path}"


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


LOOKS = {
    "home": _home,
    "ledger": _ledger,
    "writing": _written,
    "journals": _journals,
    "token": _token,
    "disk": _room,
}

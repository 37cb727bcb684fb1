"""What lies beside the log: the witness's sighting and the journals, looked at without changing them."""

import os
from pathlib import Path
from typing import NamedTuple

from ..errors import ControlPlaneError
from ..ledger.flock import lock
from ..ledger.opening import Opened
from ..ledger.scan import Scan
from .homes import waiting_journals


class Seen(NamedTuple):
    """`state` is agrees, behind, absent, or refused with the fault that says why."""

    path: str
    state: str
    position: int | None
    root: str | None
    head: int
    fault: ControlPlaneError | None = None


class JournalState(NamedTuple):
    writer: str
    running: bool
    waiting: int
    damaged: int


def sighting_of(opened: Opened) -> Seen:
    path, head = str(opened.witness.path), opened.backend.size()
    try:
        sighting = opened.witness.read()
        if sighting is None:
            return Seen(path, "absent", None, None, head)
        _, size, root = sighting.checkpoint().text().splitlines()
    except ControlPlaneError as fault:
        return Seen(path, "refused", None, None, head, fault)
    position = int(size)
    try:
        opened.check()
    except ControlPlaneError as fault:
        return Seen(path, "refused", position, root, head, fault)
    return Seen(path, "behind" if position < head else "agrees", position, root, head)


def journals_of(opened: Opened) -> list[JournalState]:
    return [_journal(folder, opened) for folder in waiting_journals(opened.home) if folder.is_dir()]


def _journal(folder: Path, opened: Opened) -> JournalState:
    stored = opened.backend.stored_upto(folder.name)
    waiting = damaged = 0
    for path in sorted(folder.glob("*.segment")):
        scan = Scan(path.read_bytes())
        waiting += sum(frame.sequence > stored for frame in scan.frames())
        damaged += scan.damaged
    return JournalState(folder.name, _is_held(folder / "lock"), waiting, damaged)


def _is_held(path: Path) -> bool:
    """Whether the writer still lives: its lock dies with it."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not lock(handle, wait=False)
    finally:
        os.close(handle)

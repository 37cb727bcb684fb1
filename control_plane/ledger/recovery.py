"""Journals whose writer is gone are committed by whoever opens the ledger next: exactly once, holes reported."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .backend import Backend
from .segment import Frame, Scan

_RUN = 2048


class Recovered(NamedTuple):
    writer: str
    frames: int
    damaged: int


def split_body(body: bytes) -> tuple[str, bytes]:
    """A journal's frame is one byte for the topic's length, the topic, the state."""
    end = 1 + body[0]
    return body[1:end].decode(), body[end:]


def recover_journals(journals: Path, damaged: Path, backend: Backend) -> list[Recovered]:
    """Commit what dead writers left; a living writer holds its lock and is passed over."""
    recovered = []
    for folder in sorted(journals.iterdir()) if journals.is_dir() else ():
        with _claimed(folder) as claimed:
            if claimed:
                recovered.append(_recover(folder, damaged, backend))
    return recovered


def _recover(folder: Path, damaged: Path, backend: Backend) -> Recovered:
    scans = [Scan(path.read_bytes()) for path in sorted(folder.glob("*.segment"))]
    used = sorted((scan for scan in scans if scan.used), key=lambda scan: scan.first)
    stored = backend.stored_upto(folder.name)
    frames = [frame for scan in used for frame in scan.frames() if frame.sequence > stored]
    for run in _consecutive(frames):
        bodies = [split_body(frame.body) for frame in run]
        backend.insert(folder.name, run[0].sequence, [topic for topic, _ in bodies], [state for _, state in bodies])
    holes = sum(scan.damaged for scan in scans)
    if holes:
        damaged.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copytree(folder, damaged / folder.name, dirs_exist_ok=True)
    shutil.rmtree(folder)
    return Recovered(folder.name, len(frames), holes)


def _consecutive(frames: list[Frame]) -> Iterator[list[Frame]]:
    run: list[Frame] = []
    for frame in frames:
        if run and (frame.sequence != run[-1].sequence + 1 or len(run) == _RUN):
            yield run
            run = []
        run.append(frame)
    if run:
        yield run


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[bool]:
    """True while this process holds the journal of a writer that is gone."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # A writer makes its lock first and removes it last: what is left without one is nobody's.
        yield folder.is_dir() and not any(folder.glob("*.segment")) and _remove_empty(folder)
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        # Another process may have recovered it between our look and our lock.
        yield (folder / "lock").exists()
    finally:
        os.close(handle)


def _remove_empty(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return False

"""Journals whose writer is gone are committed by whoever opens the ledger next: exactly once, holes reported."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import HomeReadOnly
from .backend import Backend
from .flock import lock
from .scan import Scan
from .segment import HEADER_BYTES
from .writer_folder import LOCK, remove_folder, settling

_RUN = 2048


class Recovered(NamedTuple):
    """What came back from one writer; `damaged` counts the places that could not be read."""

    writer: str
    frames: int
    damaged: int


class _Fact(NamedTuple):
    sequence: int
    topic: str
    state: bytes


def join_body(topic: str) -> bytes:
    """What stands before the state in a journal's frame: one byte for the topic's length, the topic."""
    name = topic.encode()
    return bytes([len(name)]) + name


def split_body(body: bytes) -> tuple[str, bytes]:
    end = 1 + body[0]
    if len(body) < end:
        raise ValueError("shorter than its topic")
    return body[1:end].decode(), body[end:]


def split_bodies(bodies: list[bytes]) -> tuple[list[str], list[bytes]]:
    """Topics and states of many bodies; a topic is decoded once."""
    known: dict[bytes, str] = {}
    topics, states = list[str](), list[bytes]()
    for body in bodies:
        end = 1 + body[0]
        name = body[1:end]
        topic = known.get(name)
        if topic is None:
            topic = known[name] = name.decode()
        topics.append(topic)
        states.append(body[end:])
    return topics, states


def recover_journals(
    journals: Path, damaged: Path, backend: Backend, report: Callable[[Recovered], None] = lambda _: None
) -> list[Recovered]:
    """Commit what dead writers left; a living writer holds its lock and is passed over.

    The report comes before the journal is put away: who dies in between reports again, not never.
    """
    recovered = []
    for folder in sorted(journals.iterdir()) if journals.is_dir() else ():
        handle = _claimed(folder)
        if handle is None:
            continue
        with contextlib.ExitStack() as held:
            held.callback(os.close, handle)
            found = _recover(folder, backend)
            if found.frames or found.damaged:
                report(found)
            if _emptied(folder, damaged if found.damaged else None):
                held.pop_all()
                remove_folder(folder, handle)
            recovered.append(found)
    return recovered


def _recover(folder: Path, backend: Backend) -> Recovered:
    try:
        scans = [Scan(_used_bytes(path)) for path in sorted(folder.glob("*.segment"))]
    except OSError as fault:
        raise HomeReadOnly(f"the journal {folder} cannot be read", why=os.strerror(fault.errno or 0)) from None
    stored = backend.stored_upto(folder.name)
    expected, gaps, runs = stored + 1, 0, list[list[_Fact]]()
    for fact in _facts(scans, stored):
        if fact.sequence != expected or not runs or len(runs[-1]) == _RUN:
            gaps += fact.sequence != expected
            runs.append([])
        runs[-1].append(fact)
        expected = fact.sequence + 1
    for run in runs:
        backend.insert(folder.name, run[0].sequence, [fact.topic for fact in run], [fact.state for fact in run])
    # A gap is mostly a damaged place seen from the other side.
    return Recovered(folder.name, sum(map(len, runs)), max(gaps, sum(scan.damaged for scan in scans)))


def _facts(scans: list[Scan], stored: int) -> Iterator[_Fact]:
    for scan in sorted((scan for scan in scans if scan.used), key=lambda scan: scan.first):
        for sequence, body in scan.frames():
            try:
                fact = _Fact(sequence, *split_body(body))
            except ValueError:
                scan.damaged += 1
                continue
            if sequence > stored:
                yield fact


def _used_bytes(path: Path) -> bytes:
    """The whole segment, or only its header when nothing is in it: most of a journal is spare."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        return header + file.read() if header.strip(b"\0") else header


def _emptied(folder: Path, damaged: Path | None) -> bool:
    """Keep it for people to look at, or delete all but the lock; whether the folder is still there."""
    if damaged is not None:
        damaged.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(OSError):
            folder.rename(damaged / folder.name)
            return False
        # Something of that name lies there already: an earlier attempt died half way.
        shutil.copytree(folder, damaged / folder.name, dirs_exist_ok=True)
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink()
    return True


def _claimed(folder: Path) -> int | None:
    """The handle that holds the journal of a writer that is gone; None when it lives, or another was first."""
    if not folder.is_dir():
        return None
    with settling(folder.parent):
        # Nobody is making a journal just now: a folder without a lock is one that somebody died over.
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise HomeReadOnly(f"the journal {folder} cannot be read", why=os.strerror(fault.errno or 0)) from None
        if lock(handle, wait=False) and folder.is_dir():
            return handle
    os.close(handle)
    return None

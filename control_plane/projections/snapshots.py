"""A fold's state on disk, so that opening a long log is quick; worth nothing unless its seal and its log fit."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..replacing import replace
from .folding import Folder, Projection

_SEAL = 32
KEPT = 2


class Snapshot(msgspec.Struct, frozen=True):
    position: int
    root: bytes
    versions: dict[str, int]
    states: dict[str, bytes]


RootAt = Callable[[int], bytes]


class Snapshots:
    """Sealed with a key that only this ledger's owner has: who can write files cannot change decisions."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder, self._key = folder, key

    def save(self, folder: Folder, root_at: RootAt) -> Path | None:
        position, states = folder.frozen(lambda _, state: msgspec.msgpack.encode(state))
        if not position:
            return None
        snapshot = Snapshot(position, root_at(position), folder.versions(), states)
        content = msgspec.msgpack.encode(snapshot)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{position:016}.snapshot"
        replace(path, self._sealed(content), mode=0o600)
        for old in self._paths()[KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def load(self, folder: Folder, projections: tuple[Projection[Any], ...], root_at: RootAt) -> int:
        """Restore the newest snapshot that fits; the position that it was taken at, 0 for none."""
        for path in self._paths():
            snapshot = self._opened(path)
            if snapshot is None or snapshot.versions != folder.versions():
                continue
            if snapshot.root != root_at(snapshot.position):
                continue
            states = {
                projection.name: msgspec.msgpack.decode(snapshot.states[projection.name], type=projection.state)
                for projection in projections
            }
            folder.restore(snapshot.position, states)
            return snapshot.position
        return 0

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.snapshot"), reverse=True)

    def _sealed(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=_SEAL).digest() + content

    def _opened(self, path: Path) -> Snapshot | None:
        try:
            raw = path.read_bytes()
        except OSError:  # another process has found newer ones, or it is not ours to read
            return None
        if not hmac.compare_digest(raw, self._sealed(raw[_SEAL:])):
            return None
        try:
            return msgspec.msgpack.decode(raw[_SEAL:], type=Snapshot)
        except msgspec.DecodeError:
            return None

"""A run's folder: its id, bytes with a sidecar each, the list of all hashes and their root."""

import base64
import json
import os
import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..jsonc import object_in
from ..ledger.flock import lock
from ..ledger.merkle import Frontier, leaf_hash
from .git import DogfoodError
from .results import Evidence

RUN = re.compile(r"RUN_([0-9]{4})")
MOST = 9999
RUNNING, BROKEN, SUMS, ROOT, STATEMENT = "running.json", "BROKEN.json", "SHA256SUMS", "root.txt", "result.dsse.json"


class NoEvidence(DogfoodError):
    """The evidence cannot be written where it belongs."""

    code = "dogfood.evidence"


class RunFolder:
    """Only its own process writes here; the lock on `running.json` says that it lives."""

    def __init__(self, shelf: Path, name: str) -> None:
        self.path, self.name = shelf / name, name
        self._known: dict[str, Evidence] = {}
        self._handle: int | None = None

    @classmethod
    def begin(cls, shelf: Path) -> "RunFolder":
        """The highest number plus one; whoever makes the folder has the number."""
        try:
            shelf.mkdir(parents=True, exist_ok=True)
            # Git must not touch the ends of lines in what is hashed.
            if not (shelf / ".gitattributes").exists():
                (shelf / ".gitattributes").write_bytes(b"* -text\n")
        except OSError as fault:
            raise NoEvidence("the evidence folder cannot be written", why=str(fault)) from None
        while True:
            taken = [int(found[1]) for path in shelf.iterdir() if (found := RUN.fullmatch(path.name))]
            number = max(taken, default=0) + 1
            if number > MOST:
                raise DogfoodError("all run ids are taken", cure="move old runs away")
            try:
                (shelf / f"RUN_{number:04d}").mkdir()
            except FileExistsError:
                continue
            return cls(shelf, f"RUN_{number:04d}")

    def declare(self, facts: Mapping[str, Any], originals: Mapping[str, bytes]) -> None:
        """What the next run needs, should this one be killed."""
        told = {**facts, "pid": os.getpid(), "originals": {
            path: base64.b64encode(raw).decode() for path, raw in originals.items()
        }}  # fmt: skip
        draft = self.path / f".{secrets.token_hex(4)}.draft"
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(handle, json.dumps(told).encode())
        lock(handle)
        draft.rename(self.path / RUNNING)
        if self._handle is not None:
            os.close(self._handle)
        self._handle = handle

    def write(self, path: str, raw: bytes) -> Evidence:
        """The bytes and, beside them, their hash in the form that `sha256sum -c` reads."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        told = Evidence(path, sha256(raw).hexdigest(), len(raw))
        for place, content in ((target, raw), (_beside(target), f"{told.sha256} *{target.name}\n".encode())):
            with place.open("xb") as file:
                file.write(content)
        self._known[path] = told
        return told

    def faults(self) -> list[str]:
        """What of that which was written is no longer as it was, or lies there unasked."""
        found = []
        for path, told in self._known.items():
            target = self.path / path
            line = f"{told.sha256} *{target.name}\n".encode()
            if not _holds(target, told.sha256) or not _beside(target).is_file() or _beside(target).read_bytes() != line:
                found.append(path)
        expected = {path for known in self._known for path in (known, known + ".sha256")} | {RUNNING}
        there = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if not path.is_dir()}
        return sorted({*found, *(there - expected)}, key=os.fsencode)

    def has(self, path: str) -> bool:
        return path in self._known

    def seal(self) -> str:
        """List every file with its hash, and the one hash that stands for all of them."""
        files = sorted(self._known.values(), key=lambda one: os.fsencode(one.path))
        self.write(SUMS, "".join(f"{one.sha256} *{one.path}\n" for one in files).encode())
        root = root_of(files)
        self.write(ROOT, f"{root}\n".encode())
        return root

    def end(self) -> None:
        """The run came to its summary; without one the next run finds it broken."""
        if self.has("run_summary.json"):
            (self.path / RUNNING).unlink(missing_ok=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def root_of(files: list[Evidence]) -> str:
    """The RFC 6962 root over the lines `<sha256> <size> <path>`, in C-locale order."""
    leaves = [leaf_hash(f"{one.sha256} {one.size} {one.path}".encode()) for one in files]
    return Frontier().extend(leaves)[0].root().hex()


def broken(shelf: Path) -> list[tuple[RunFolder, dict[str, Any]]]:
    """Runs whose process is gone before they ended; each is marked, once."""
    found = []
    for path in sorted(shelf.iterdir()) if shelf.is_dir() else ():
        running = path / RUNNING
        if not RUN.fullmatch(path.name) or not running.is_file():
            continue
        handle = os.open(running, os.O_RDWR)
        try:
            if not lock(handle, wait=False) or not running.is_file():
                continue
            told = object_in(running.read_bytes())  # one that cannot be read keeps nobody from starting
            (path / BROKEN).write_bytes(
                json.dumps({"run_id": path.name, "reason": "the process ended before the run did"}).encode() + b"\n"
            )
            running.unlink()
            found.append((RunFolder(shelf, path.name), told))
        finally:
            os.close(handle)
    return found


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _holds(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == digest

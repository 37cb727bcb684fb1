"""Evidence on disk: written whole or not at all, never over an older one, and believed only after a check.

A signature goes beside the file, as `<name>.dsse.json`: an envelope whose subject is the file's SHA-256.
So the file is final once it is written.
"""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ..errors import EvidenceInvalid
from .template import Artifact, Evidence, Metrics

METRICS = Path(".opencode") / "metrics"
PREDICATE_TYPE = "https://control-plane.dev/evidence/v1"
_NAMES = {"M0": "baseline"}


def write(evidence: Evidence, folder: Path, files: Mapping[str, bytes] | None = None) -> Path:
    """Write the evidence as `<item>-<timestamp>.json`, its artifacts into the folder of that name."""
    _refuse_faults(evidence.item, _parsed(evidence.item, msgspec.json.encode(evidence)))
    at = datetime.fromtimestamp(evidence.at, UTC)
    stem = f"{_NAMES.get(evidence.item, evidence.item.lower())}-{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z"
    make_folder(folder)
    try:
        for name in (stem, *(f"{stem}-{number}" for number in range(2, 100))):
            with contextlib.suppress(FileExistsError):
                return _write_new(evidence, folder / f"{name}.json", files or {})
    except OSError as fault:
        raise _unwritable(folder, fault) from None
    raise EvidenceInvalid(f"{folder} has a hundred files of {stem}", cure="name another folder")


def make_folder(folder: Path) -> None:
    """Called before a long proof, it says at once that its evidence would find no place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise _unwritable(folder, fault) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, PermissionError(errno.EACCES, ""))


def check(path: Path) -> Evidence:
    """The evidence, once it fits the template, agrees with itself, and its artifacts are as they were."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise EvidenceInvalid(f"{path} cannot be read", why=os.strerror(fault.errno or 0)) from None
    evidence = _parsed(path.name, content)
    _refuse_faults(path.name, evidence)
    for artifact in evidence.artifacts:
        _check_artifact(path, artifact)
    return evidence


def schema() -> dict[str, Any]:
    """The JSON Schema of the template."""
    return msgspec.json.schema(Evidence)


def _unwritable(folder: Path, fault: OSError) -> EvidenceInvalid:
    why = os.strerror(fault.errno or 0)
    return EvidenceInvalid(f"evidence cannot be written to {folder}", why=why, cure="name another folder")


def _write_new(evidence: Evidence, path: Path, files: Mapping[str, bytes]) -> Path:
    """Raises FileExistsError when somebody has that name."""
    listed = tuple(_write_artifacts(path.with_suffix(""), files))
    whole = msgspec.structs.replace(evidence, artifacts=(*evidence.artifacts, *listed))
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
        # Unlike a rename, a link never replaces what is there.
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _write_artifacts(folder: Path, files: Mapping[str, bytes]) -> Iterator[Artifact]:
    if files:
        folder.mkdir()
    for name, content in sorted(files.items()):
        (folder / name).write_bytes(content)
        yield Artifact(path=f"{folder.name}/{name}", sha256=hashlib.sha256(content).hexdigest())


def _parsed(name: str, content: bytes) -> Evidence:
    try:
        return msgspec.json.decode(content, type=Evidence)
    except msgspec.DecodeError as fault:
        raise EvidenceInvalid(f"{name} does not fit the template", why=str(fault)) from None


def _refuse_faults(name: str, evidence: Evidence) -> None:
    faults = list(_faults(evidence))
    if faults:
        raise EvidenceInvalid(f"{name} contradicts itself", why="; ".join(faults), cure="run the proof again")


def _faults(evidence: Evidence) -> Iterator[str]:
    """What the types cannot say."""
    for field, text in (("item", evidence.item), ("command", evidence.command), ("switch", evidence.rollback.switch)):
        if not text.strip():
            yield f"it names no {field}"
    if any(word.startswith(("/", "~")) for word in evidence.command.split()):
        yield "its command holds a path of one machine"
    if not evidence.criteria:
        yield "it has no criterion"
    for criterion in evidence.criteria:
        if criterion.passed != criterion.holds():
            claim = f"{criterion.value} {criterion.comparison} {criterion.limit}"
            yield f"{criterion.name} says pass={criterion.passed} of {claim}"
    for side in (evidence.before, evidence.after):
        yield from _faults_of_metrics(side)
    for artifact in evidence.artifacts:
        path = PurePosixPath(artifact.path)
        if path.is_absolute() or ".." in path.parts:
            yield f"{artifact.path} does not lie beside the evidence"


def _faults_of_metrics(side: Metrics) -> Iterator[str]:
    if not side.p50 <= side.p95 <= side.p99:
        yield f"the percentiles of {side.of} do not rise"
    if min(side.accepted, side.rejected, side.errors) < 0:
        yield f"a count of {side.of} is below zero"


def _check_artifact(path: Path, artifact: Artifact) -> None:
    try:
        found = hashlib.sha256((path.parent / artifact.path).read_bytes()).hexdigest()
    except OSError as fault:
        raise EvidenceInvalid(
            f"{artifact.path} of {path.name} cannot be read", why=os.strerror(fault.errno or 0)
        ) from None
    if found != artifact.sha256:
        raise EvidenceInvalid(f"{artifact.path} is not the file that {path.name} speaks of")

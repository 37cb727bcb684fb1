"""The signature beside a file of evidence: a DSSE envelope around a Statement that names the file's SHA-256."""

import contextlib
import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from ..errors import BadSignature, EvidenceInvalid, KeyUnknown
from ..ledger.dsse import MalformedEnvelope, open_envelope, seal, statement
from ..ledger.notes import Signer, Verifier
from .store import PREDICATE_TYPE, check
from .template import Evidence

Reason = Literal["ok", "invalid", "unsigned", "malformed", "unknown-key", "changed", "other-statement"]
SUFFIX = ".dsse.json"


class Verdict(NamedTuple):
    """What became of one file; `evidence` is there as soon as the file itself can be believed."""

    path: Path
    reason: Reason
    why: str
    evidence: Evidence | None
    digest: str
    key: str

    @property
    def ok(self) -> bool:
        return self.reason == "ok"


class _Subject(msgspec.Struct, frozen=True):
    digest: dict[str, str]


class _Statement(msgspec.Struct, frozen=True):
    predicateType: str  # noqa: N815 - the field's name in the in-toto format
    subject: tuple[_Subject, ...]
    predicate: Evidence


def sidecar(path: Path) -> Path:
    """Where the signature of a file lies: beside it."""
    return path.with_suffix(SUFFIX)


def is_evidence(path: Path) -> bool:
    """Whether the name is that of evidence, not of a signature or a draft."""
    return path.suffix == ".json" and not path.name.endswith(SUFFIX) and not path.name.startswith(".")


def sign(path: Path, signer: Signer) -> Path:
    """Sign evidence that can be believed; a signature that is there already stays as it is."""
    evidence, digest = check(path), digest_of(path)
    named = {path.name: digest} | {artifact.path: artifact.sha256 for artifact in evidence.artifacts}
    envelope = seal(statement(PREDICATE_TYPE, msgspec.to_builtins(evidence), named), signer)
    beside = sidecar(path)
    draft = beside.with_name(f".{beside.name}.{secrets.token_hex(4)}.draft")
    try:
        draft.write_bytes(envelope + b"\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, beside)
    except OSError as fault:
        raise EvidenceInvalid(f"{beside} cannot be written", why=os.strerror(fault.errno or 0)) from None
    finally:
        draft.unlink(missing_ok=True)
    return beside


def verify(path: Path, verifiers: Sequence[Verifier]) -> Verdict:
    """Whether the file fits the template, agrees with itself and was signed as it is by one of these keys."""
    try:
        evidence, digest = check(path), digest_of(path)
    except EvidenceInvalid as fault:
        return Verdict(path, "invalid", str(fault), None, "", "")
    try:
        envelope = sidecar(path).read_bytes()
    except FileNotFoundError:
        return Verdict(path, "unsigned", f"there is no {sidecar(path).name} beside it", evidence, digest, "")
    except OSError as fault:
        return Verdict(path, "malformed", os.strerror(fault.errno or 0), evidence, digest, "")
    reason, why, key = _signed(envelope, evidence, digest, verifiers)
    return Verdict(path, reason, why, evidence, digest, key)


def digest_of(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as fault:
        raise EvidenceInvalid(f"{path} cannot be read", why=os.strerror(fault.errno or 0)) from None


def _signed(envelope: bytes, evidence: Evidence, digest: str, verifiers: Sequence[Verifier]) -> tuple[Reason, str, str]:
    for verifier in verifiers:
        try:
            payload = open_envelope(envelope, [verifier])
        except KeyUnknown:
            continue
        except BadSignature as fault:
            return "unsigned", fault.what, ""
        except MalformedEnvelope as fault:
            return "malformed", str(fault), ""
        return (*_states(payload, evidence, digest), verifier.hint.hex())
    return "unknown-key", "no key that counts has signed it", ""


def _states(payload: bytes, evidence: Evidence, digest: str) -> tuple[Reason, str]:
    try:
        stated = msgspec.json.decode(payload, type=_Statement)
    except msgspec.DecodeError as fault:
        return "other-statement", str(fault)
    if stated.predicateType != PREDICATE_TYPE:
        return "other-statement", f"it was signed as {stated.predicateType}"
    if not stated.subject or stated.subject[0].digest.get("sha256") != digest:
        return "changed", "the file is not the one that was signed"
    return ("ok", "") if stated.predicate == evidence else ("changed", "the signature speaks of other evidence")

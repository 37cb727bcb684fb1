"""What a simulation and an evaluation hand in: signed Statements, bound to the policy and to the history they saw."""

import json
import math
from hashlib import sha256
from typing import Any, Literal

import msgspec

from ..errors import BadSignature, KeyUnknown
from ..jsonc import no_number, once
from ..ledger.dsse import MalformedEnvelope, open_envelope, seal, statement
from ..ledger.keyring import Keyring
from ..ledger.notes import Signer
from .verdicts import Verdict

SIMULATION = "https://control-plane.dev/policy-simulation/v1"
EVALUATION = "https://control-plane.dev/policy-evaluation/v1"
LARGEST = 1 << 20
Risk = Literal["low", "medium", "high"]


class Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a report speaks of: a revision of a policy, and the history that the ledger held up to a position.

    `revision` is the active revision: the number of changes so far of what is in force; `catalogue` that of the arms
    and of the router's own policy.
    """

    ledger: str
    policy: str
    policy_hash: str
    policy_revision: int
    revision: int
    catalogue: int
    ledger_position: int
    ledger_root: str
    at: float


class SimulationReport(Bound, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a policy would have done on that history; a figure that is missing fails the gate."""

    passed: bool
    total: int | None = None
    accepted: int | None = None
    rejected: int | None = None
    acceptance_ratio: float | None = None
    risk: Risk | None = None
    inconclusive: bool = False
    details: dict[str, Any] = {}


class EvaluationReport(Bound, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much better the policy did than what is in force: the mean difference and its bootstrap interval."""

    passed: bool
    samples: int | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    inconclusive: bool = False
    details: dict[str, Any] = {}


Report = SimulationReport | EvaluationReport
KINDS: dict[str, tuple[str, type[SimulationReport] | type[EvaluationReport]]] = {
    "simulation": (SIMULATION, SimulationReport),
    "evaluation": (EVALUATION, EvaluationReport),
}


class Unacceptable(Exception):
    """Why an envelope is no artifact; `verdict` is the short reason, without the gate's name before it."""

    def __init__(self, verdict: Verdict, words: str) -> None:
        super().__init__(words)
        self.verdict, self.words = verdict, words


def sealed(report: Report, signer: Signer) -> bytes:
    """The artifact: a DSSE envelope around an in-toto Statement whose subject is the policy."""
    kind = SIMULATION if isinstance(report, SimulationReport) else EVALUATION
    return seal(statement(kind, msgspec.to_builtins(report), {report.policy: report.policy_hash}), signer)


def digest_of(envelope: bytes) -> str:
    return sha256(envelope).hexdigest()


def opened(envelope: bytes, kind: str, keyring: Keyring) -> Report:
    """The report, once a key that signs this ledger now is seen to have signed it; nothing is parsed before that."""
    return _read(_payload(envelope, keyring), *KINDS[kind])


def kind_of(envelope: bytes, keyring: Keyring) -> str:
    """Whether a signed artifact is a simulation or an evaluation."""
    try:
        named = json.loads(_payload(envelope, keyring))["predicateType"]
        return next(kind for kind, (predicate_type, _) in KINDS.items() if predicate_type == named)
    except (ValueError, LookupError, TypeError, RecursionError, StopIteration):
        raise Unacceptable("other_kind", "it is neither a simulation nor an evaluation") from None


def _payload(envelope: bytes, keyring: Keyring) -> bytes:
    if len(envelope) > LARGEST:
        raise Unacceptable("malformed", f"{len(envelope):,} bytes; an artifact has {LARGEST:,} at most")
    try:
        return open_envelope(envelope, keyring.current())
    except MalformedEnvelope as fault:
        raise Unacceptable("malformed", str(fault)) from None
    except BadSignature as fault:
        raise Unacceptable("unsigned", str(fault)) from None
    except KeyUnknown:
        retired = [verifier for verifier, term in keyring.terms().items() if term.until is not None]
        try:
            open_envelope(envelope, retired)
        except KeyUnknown:
            raise Unacceptable("unknown_key", "no key of this ledger signed it, or not this content") from None
        raise Unacceptable("revoked_key", "the key that signed it was rotated or revoked since") from None


def _read(payload: bytes, predicate_type: str, report: type[SimulationReport] | type[EvaluationReport]) -> Report:
    try:
        body = json.loads(payload, object_pairs_hook=once, parse_constant=no_number)
        kind, predicate, subjects = body["predicateType"], body["predicate"], body["subject"]
        if body["_type"] != "https://in-toto.io/Statement/v1" or kind != predicate_type:
            raise Unacceptable("other_kind", f"it is a {str(kind)[:80]!r}")
        found: Report = msgspec.convert(predicate, report)
        named = {subject["name"]: subject["digest"]["sha256"] for subject in subjects}
    except (ValueError, LookupError, TypeError, RecursionError, msgspec.ValidationError) as fault:
        raise Unacceptable("malformed", f"not a report: {fault}") from None
    if named != {found.policy: found.policy_hash}:
        raise Unacceptable("malformed", "its subject is not the policy that it speaks of")
    wrong = _nonsense(found)
    if wrong:
        raise Unacceptable("malformed", wrong)
    return found


def _nonsense(report: Report) -> str:
    """Figures that cannot all be true."""
    if report.ledger_position < 1 or not math.isfinite(report.at):
        return "it saw no history"
    if isinstance(report, SimulationReport):
        return _counts_contradict(report)
    figures = (report.low, report.delta, report.high)
    known = [figure for figure in figures if figure is not None]
    if known != sorted(known) or not 0.5 <= report.confidence < 1.0 or (report.samples or 0) < 0:
        return "the difference does not lie in its interval"
    return ""


def _counts_contradict(report: SimulationReport) -> str:
    ratio, total, accepted, rejected = report.acceptance_ratio, report.total, report.accepted, report.rejected
    if ratio is not None and not 0.0 <= ratio <= 1.0:
        return "a ratio lies between 0 and 1"
    if any(count is not None and count < 0 for count in (total, accepted, rejected)):
        return "a count is not negative"
    if total is None or accepted is None:
        return ""
    if rejected is not None and accepted + rejected != total:
        return "accepted and rejected do not add up"
    if ratio is not None and (total == 0 or abs(ratio - accepted / total) > 1e-6):
        return "the ratio is not that of its counts"
    return ""

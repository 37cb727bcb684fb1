"""Artifacts that must not open a gate, each with the reason that it has to be refused for, and those that must."""

import base64
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..governance.artifacts import EVALUATION, SIMULATION, Bound
from ..ledger.dsse import seal, statement
from ..ledger.notes import Signer
from ..plane import ControlPlane

KINDS = {"simulation": SIMULATION, "evaluation": EVALUATION}
PREFIX = {"simulation": "policy_sim", "evaluation": "eval"}
DAY = 86_400.0


class Attempt(NamedTuple):
    """What is handed in at the gate, and the one word that the gate must answer."""

    form: str
    offer: bytes | str | None
    verdict: str


class Keys(NamedTuple):
    """The ledger's own key, one that was revoked, and one that it never knew."""

    own: Signer
    revoked: Signer
    unknown: Signer


def stranger(origin: str) -> Signer:
    return Signer(origin, Ed25519PrivateKey.generate())


class Attempts:
    """A stream of attempts that follows from a seed; `bad()` takes the forms by turns and draws the figures."""

    def __init__(self, plane: ControlPlane, policy: str, kind: str, keys: Keys, seed: int) -> None:
        self._plane, self._policy, self._kind, self._keys = plane, policy, kind, keys
        self._chance, self._turn = random.Random(seed), 0  # noqa: S311 - the same attempts for the same seed
        own = _OF_SIMULATION if kind == "simulation" else _OF_EVALUATION
        self.forms: dict[str, Callable[[Attempts], Attempt]] = {**_OF_ANY, **own}

    def good(self) -> bytes:
        """A valid and fresh one, with figures as they come."""
        return self.signed(self.report())

    @property
    def upcoming(self) -> str:
        return list(self.forms)[self._turn % len(self.forms)]

    def bad(self) -> Attempt:
        form, self._turn = self.upcoming, self._turn + 1
        return self.forms[form](self)

    def report(self, **changes: Any) -> dict[str, Any]:
        bound: Bound = self._plane.policies.bound(self._policy)
        figures = self._simulated() if self._kind == "simulation" else self._evaluated()
        return {**msgspec.to_builtins(bound), **figures, **changes}

    def signed(self, report: dict[str, Any], signer: Signer | None = None, *, kind: str = "") -> bytes:
        subject = {str(report.get("policy", "")): str(report.get("policy_hash", ""))}
        return seal(statement(KINDS[kind or self._kind], report, subject), signer or self._keys.own)

    def altered(self, form: str, verdict: str, /, **changes: Any) -> Attempt:
        """A report under the right signature that says something else."""
        return self.refused(form, verdict, self.signed(self.report(**changes)))

    def refused(self, form: str, verdict: str, offer: bytes) -> Attempt:
        return Attempt(form, offer, f"{PREFIX[self._kind]}_{verdict}")

    def without(self, form: str, verdict: str, *fields: str) -> Attempt:
        report = {name: value for name, value in self.report().items() if name not in fields}
        return Attempt(form, self.signed(report), verdict)

    @property
    def keys(self) -> Keys:
        return self._keys

    @property
    def kind(self) -> str:
        return self._kind

    @property
    def chance(self) -> random.Random:
        return self._chance

    def _simulated(self) -> dict[str, Any]:
        total = self._chance.randint(20, 5_000)
        rejected = self._chance.randint(0, total // 10)
        accepted = total - rejected
        risk = self._chance.choice(("low", "medium"))
        counts = {"total": total, "accepted": accepted, "rejected": rejected, "acceptance_ratio": accepted / total}
        return {"passed": True, "risk": risk, **counts}

    def _evaluated(self) -> dict[str, Any]:
        low = self._chance.uniform(0.0, 0.2)
        delta = low + self._chance.uniform(0.0, 0.2)
        high = delta + self._chance.uniform(0.0, 0.2)
        return {"passed": True, "samples": self._chance.randint(8, 900), "delta": delta, "low": low, "high": high}


def _nothing(at: Attempts) -> Attempt:
    return Attempt("nothing", None, "missing_policy_sim_gate" if at.kind == "simulation" else "missing_eval_gate")


def _unheard_of(at: Attempts) -> Attempt:
    verdict = "missing_policy_sim_artifact" if at.kind == "simulation" else "missing_eval_artifact"
    offer = at.chance.choice((b"", "", at.chance.randbytes(32).hex()))
    return Attempt("a digest that nobody recorded", offer, verdict)


def _noise(at: Attempts) -> Attempt:
    return at.refused("noise", "malformed", at.chance.randbytes(at.chance.randint(1, 200)))


def _cut(at: Attempts) -> Attempt:
    whole = at.good()
    return at.refused("cut short", "malformed", whole[: at.chance.randint(1, len(whole) - 1)])


def _unsigned(at: Attempts) -> Attempt:
    envelope = msgspec.json.decode(at.good())
    return at.refused("unsigned", "unsigned", msgspec.json.encode(envelope | {"signatures": []}))


def _retyped(at: Attempts) -> Attempt:
    envelope = msgspec.json.decode(at.good())
    return at.refused(
        "another payload type", "malformed", msgspec.json.encode(envelope | {"payloadType": "text/plain"})
    )


def _tampered(at: Attempts) -> Attempt:
    """One figure is changed after it was signed."""
    envelope = msgspec.json.decode(at.good())
    payload = base64.b64decode(envelope["payload"]).replace(b'"passed":true', b'"passed":false')
    envelope["payload"] = base64.b64encode(payload).decode()
    return at.refused("changed after signing", "unknown_key", msgspec.json.encode(envelope))


def _twice(at: Attempts) -> Attempt:
    """Two fields of one name: which of them was signed?"""
    report = at.report()
    payload = statement(KINDS[at.kind], report, {report["policy"]: report["policy_hash"]})
    payload = payload.replace(b'"passed":true', b'"passed":true,"passed":true')
    return at.refused("a field twice", "malformed", seal(payload, at.keys.own))


def _other_kind(at: Attempts) -> Attempt:
    other = "evaluation" if at.kind == "simulation" else "simulation"
    return at.refused("another kind of report", "other_kind", at.signed(at.report(), kind=other))


def _late(at: Attempts) -> Attempt:
    old = at.report()["at"] - at.chance.uniform(1.01, 300.0) * DAY
    return at.altered("too old", "stale_age", at=old)


def _early(at: Attempts) -> Attempt:
    return at.altered("of tomorrow", "from_the_future", at=at.report()["at"] + at.chance.uniform(120.0, DAY))


def _drawn(at: Attempts) -> str:
    return at.chance.randbytes(32).hex()


_OF_ANY: dict[str, Callable[[Attempts], Attempt]] = {
    "nothing": _nothing,
    "unheard of": _unheard_of,
    "noise": _noise,
    "cut": _cut,
    "unsigned": _unsigned,
    "retyped": _retyped,
    "tampered": _tampered,
    "twice": _twice,
    "stranger": lambda at: at.refused("a stranger's key", "unknown_key", at.signed(at.report(), at.keys.unknown)),
    "revoked": lambda at: at.refused("a revoked key", "revoked_key", at.signed(at.report(), at.keys.revoked)),
    "other kind": _other_kind,
    "unknown field": lambda at: at.altered("an unknown field", "malformed", verdict="ok"),
    "wrong type": lambda at: at.altered("a word for a truth", "malformed", passed="yes"),
    "unbound": lambda at: at.without("no root", f"{PREFIX[at.kind]}_malformed", "ledger_root"),
    "other ledger": lambda at: at.altered("another ledger", "other_ledger", ledger="elsewhere"),
    "other policy": lambda at: at.altered("another policy", "other_policy", policy="reckless"),
    "other hash": lambda at: at.altered("another content", "other_hash", policy_hash=_drawn(at)),
    "other revision": lambda at: at.altered("another revision", "other_revision", policy_revision=99),
    "other in force": lambda at: at.altered("something else in force", "stale_active_revision", revision=999),
    "other catalogue": lambda at: at.altered("another catalogue", "stale_catalogue", catalogue=999),
    "other history": lambda at: at.altered("another history", "other_history", ledger_root=_drawn(at)),
    "beyond": lambda at: at.altered("events to come", "beyond_head", ledger_position=1 << 40),
    "late": _late,
    "early": _early,
}


def _low(at: Attempts) -> Attempt:
    total = at.chance.randint(20, 5_000)
    accepted = at.chance.randint(0, -(-9 * total // 10) - 1)
    counts = {"total": total, "accepted": accepted, "rejected": total - accepted, "acceptance_ratio": accepted / total}
    return Attempt("too few", at.signed(at.report(**counts)), "policy_sim_acceptance_ratio_below_threshold")


def _worse(at: Attempts) -> Attempt:
    delta = -at.chance.uniform(1e-6, 0.5)
    offer = at.signed(at.report(low=delta - 0.1, delta=delta, high=delta + at.chance.uniform(0.0, 0.6)))
    return Attempt("worse", offer, "eval_delta_below_threshold")


def _said(form: str, verdict: str, **changes: Any) -> Callable[[Attempts], Attempt]:
    return lambda at: Attempt(form, at.signed(at.report(**changes)), verdict)


_OF_SIMULATION: dict[str, Callable[[Attempts], Attempt]] = {
    "failed": _said("failed", "policy_sim_failed", passed=False),
    "risky": _said("risky", "policy_sim_risk_high", risk="high"),
    "no risk": lambda at: at.without("no risk", "missing_policy_sim_risk", "risk"),
    "no ratio": lambda at: at.without("no ratio", "missing_policy_sim_acceptance_ratio", "acceptance_ratio"),
    "low": _low,
    "contradictory": lambda at: at.altered("counts that contradict", "malformed", accepted=0),
    "inconclusive": _said("inconclusive", "policy_sim_inconclusive", inconclusive=True),
}
_OF_EVALUATION: dict[str, Callable[[Attempts], Attempt]] = {
    "failed": _said("failed", "eval_report_not_passed", passed=False),
    "no delta": lambda at: at.without("no delta", "missing_eval_delta", "delta"),
    "no interval": lambda at: at.without("no interval", "missing_eval_delta", "low", "high"),
    "no samples": lambda at: at.without("no samples", "missing_eval_delta", "samples"),
    "worse": _worse,
    "contradictory": lambda at: at.altered("a delta outside its interval", "malformed", low=1.0, delta=0.5, high=2.0),
    "inconclusive": _said("inconclusive", "eval_inconclusive", inconclusive=True),
    "by chance": _said("perhaps by chance", "eval_inconclusive", low=-0.1, delta=0.1, high=0.3),
}

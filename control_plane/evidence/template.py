"""The unified template: command, before, after, criteria, artifacts, governance, rollback; nothing may be left out."""

import math
import operator
from collections.abc import Callable
from typing import Literal

import msgspec

from .environment import Environment

Value = float | int | bool | str
Comparison = Literal["<=", ">=", "=="]
_HOLDS: dict[str, Callable[[Value, Value], bool]] = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the template: an unknown field is a mistake, not an extension."""


class Metrics(_Part, frozen=True, kw_only=True):
    """One side of the comparison. `of` says what the percentiles measure; what else was seen goes into `figures`."""

    of: str
    unit: str
    p50: float
    p95: float
    p99: float
    accepted: int
    rejected: int
    errors: int
    figures: dict[str, Value] = {}


class Criterion(_Part, frozen=True, kw_only=True):
    """What must hold, and whose bar that is. A value that is missing or no number never passes."""

    name: str
    value: Value | None
    comparison: Comparison
    limit: Value
    passed: bool = msgspec.field(name="pass")
    bar: Literal["ours", "the seed's"] = "ours"

    def holds(self) -> bool:
        if self.value is None or isinstance(self.value, str) != isinstance(self.limit, str):
            return False
        return _HOLDS[self.comparison](self.value, self.limit)


class Artifact(_Part, frozen=True, kw_only=True):
    """A file beside the evidence, and the SHA-256 that it had."""

    path: str
    sha256: str


class Governance(_Part, frozen=True, kw_only=True):
    """What the validators said of the repository that the proof stands in."""

    result: Literal["passed", "failed", "not run"] = "not run"
    validators: dict[str, bool] = {}


class Rollback(_Part, frozen=True, kw_only=True):
    """The switch, and what was seen when it was switched."""

    switch: str
    validated: bool
    result: str


class Evidence(_Part, frozen=True, kw_only=True):
    """What one proof saw: before and after, criteria, artifacts, governance and the rollback."""

    template: Literal[1] = 1
    item: str
    at: float
    command: str
    before: Metrics
    after: Metrics
    criteria: tuple[Criterion, ...]
    artifacts: tuple[Artifact, ...]
    governance: Governance
    rollback: Rollback
    environment: Environment

    @property
    def green(self) -> bool:
        """Everything asked for was seen; governance that was not run yet leaves that open, a failure does not."""
        return (
            bool(self.criteria)
            and all(criterion.passed for criterion in self.criteria)
            and self.rollback.validated
            and self.governance.result != "failed"
        )


def at_most(name: str, value: float | None, limit: float) -> Criterion:
    """A criterion that holds up to the limit."""
    return _judged(name, value, "<=", limit)


def at_least(name: str, value: float | None, limit: float) -> Criterion:
    """A criterion that holds from the limit upwards."""
    return _judged(name, value, ">=", limit)


def equal(name: str, value: Value | None, limit: Value) -> Criterion:
    """A criterion that holds at exactly this value."""
    return _judged(name, value, "==", limit)


def _judged(name: str, value: Value | None, comparison: Comparison, limit: Value) -> Criterion:
    # JSON has no word for a number that is none: such a value is missing.
    known = None if isinstance(value, float) and not math.isfinite(value) else value
    open_ = Criterion(name=name, value=known, comparison=comparison, limit=limit, passed=False)
    return msgspec.structs.replace(open_, passed=open_.holds())

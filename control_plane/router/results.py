"""Outcomes on their way in: checked, compared with what was just said, written."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from ..clock import Clock
from ..errors import BadInput
from ..ledger.events import Event
from ..redacting import without_secrets, without_secrets_in
from .ahead import Foresight
from .decision_id import UnknownDecision, parse
from .events import ResultRecorded
from .identity import Identity
from .recent import Recent
from .sessions import Sessions
from .subject import Subject
from .terms import ERRORS, MOST_MS, MOST_TOKENS, MOST_USD, Arms, Task, check_number, check_text

# Decisions of this process that are known without reading their id, and results that a repeat is compared with.
MOST = 32_768
_MOST_OF = {
    "latency_ms": MOST_MS, "ttft_ms": MOST_MS, "cost_usd": MOST_USD, "tokens_in": MOST_TOKENS,
    "tokens_out": MOST_TOKENS, "retry_after_s": MOST_MS / 1e3,
}  # fmt: skip
LEAST_MOST = min(_MOST_OF.values())

Numbers = tuple[float | None, float | None, float | None, float | None, float | None, float | None]


class Told(msgspec.Struct, gc=False, omit_defaults=True):
    """The fields of `ResultRecorded` behind its subject, in the same order; made by position, which is quick."""

    step: int = 0
    success: bool | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    error: str | None = None
    verified: bool | None = None
    retry_after_s: float | None = None
    model_served: str | None = None


class UnknownStep(BadInput):
    """The decision's plan has no such step."""

    code = "router.unknown-step"


class Writing(Protocol):
    def writer(self, kind: type[Event]) -> Callable[[bytes], int]: ...


class Results:
    def __init__(
        self, ledger: Writing, arms: Arms, clock: Clock, identity: Identity, sessions: Sessions, foresight: Foresight
    ) -> None:
        self._foresight = foresight
        self._write, self._encode = ledger.writer(ResultRecorded), msgspec.json.Encoder().encode
        self._arms, self._now, self._key, self._sessions = arms, clock.now, identity.key, sessions
        self._process = identity.process
        self._given = Recent[str, Subject](MOST)
        self._said = Recent[str | tuple[str, int], tuple[Any, ...]](MOST)

    def expect(self, decision: str, subject: Subject) -> None:
        """A decision of this process: its result will need neither its seal nor its id to be read."""
        self._given.put(decision, subject)

    def record(
        self,
        decision: str | None,
        arm: str | None,
        task: Task | None,
        step: int,
        success: bool | None,
        error: str | None,
        verified: bool | None,
        model_served: str | None,
        numbers: Numbers,
    ) -> None:
        """Write one outcome; a repeat of what was just said is passed over."""
        subject = self._given.get(decision) if decision is not None else None
        if subject is None or arm is not None:
            subject = self._subject(decision, arm, task)
        if step or error is not None or model_served is not None or not _bools(success, verified):
            model_served = self._checked(subject.arm, step, success, verified, error, model_served)
        for value in numbers:
            if value is not None and not (type(value) in _REAL and 0.0 <= value <= LEAST_MOST):
                _check_numbers(numbers)
        said, outcome = self._said, (success, error, verified, model_served, numbers)
        key = (decision, step) if step and decision is not None else decision
        if key is not None and said.get(key) == outcome:
            return
        now = self._now()
        latency_ms, ttft_ms, cost_usd, tokens_in, tokens_out, retry_after_s = numbers
        told = self._encode(
            Told(
                step, success, latency_ms, ttft_ms, cost_usd, tokens_in, tokens_out, error, verified, retry_after_s,
                model_served,
            )
        )  # fmt: skip
        self._foresight.write(self._write, subject.task_type, self._event(subject, now, decision, told))
        if key is not None:
            said.put(key, outcome)
        if subject.session is not None:
            ended = False if error is not None and success is None else success
            self._sessions.ended(subject.session, ended, now)

    def _event(self, subject: Subject, now: float, decision: str | None, told: bytes) -> bytes:
        """The stored state of a `ResultRecorded`; a decision that was checked needs no quoting."""
        rest = b"}" if told == b"{}" else b"," + told[1:]
        if decision is None:
            return _LONE % (self._encode(now), subject.front(self._process), subject.repo_part, rest)
        front = subject.front(self._process)
        return _DECIDED % (self._encode(now), front, decision.encode(), subject.repo_part, rest)

    def _subject(self, decision: str | None, arm: str | None, task: Task | None) -> Subject:
        """Whom a result is about; raises when it is about nobody that we know."""
        session = without_secrets_in(task.session) if task is not None else None
        if decision is not None:
            parsed = parse(decision, self._key)
            if arm is not None and arm != parsed.arm:
                raise UnknownDecision(f"that decision was for {parsed.arm}, not for {arm}")
            return Subject(parsed.arm, parsed.task_type, parsed.repo, session)
        if arm is None:
            raise BadInput("a result needs a decision_id or an arm")
        name = self._arms.get(arm).name
        if task is None:
            return Subject(name, "general")
        if task.type is None:
            raise BadInput("a task needs a type")
        check_text("a task's type", task.type)
        check_text("a task's repo", task.repo)
        return Subject(name, without_secrets(task.type), without_secrets_in(task.repo), session)

    def _checked(
        self, name: str, step: int, success: object, verified: object, error: object, model_served: str | None
    ) -> str | None:
        """The model as it is written down."""
        arm = self._arms.by_name.get(name)
        most = len(arm.steps) if arm is not None and arm.steps else 1
        if type(step) is not int or not 0 <= step < most:
            raise UnknownStep(f"{name} has no step {step!r}", why=f"its steps are 0 to {most - 1}")
        for label, value in (("success", success), ("verified", verified)):
            if not _bools(value, None):
                raise BadInput(f"{label} is {value!r:.40}", why="it must be true, false or unknown")
        if error is not None and error not in ERRORS:
            raise BadInput(f"error is {error!r:.40}", why=f"it must be one of {', '.join(sorted(ERRORS))}")
        check_text("model_served", model_served)
        return None if model_served is None else without_secrets(model_served)


_LONE = b'{"v":1,"at":%b,%b%b%b'
_DECIDED = b'{"v":1,"at":%b,%b,"decision":"%b"%b%b'
_REAL = frozenset((int, float))


def _bools(first: object, second: object) -> bool:
    return (first is None or first is True or first is False) and (second is None or second is True or second is False)


def _check_numbers(numbers: Numbers) -> None:
    for (label, most), value in zip(_MOST_OF.items(), numbers, strict=True):
        check_number(label, value, most=most, cure="leave it out when it is not known")

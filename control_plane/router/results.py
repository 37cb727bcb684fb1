"""Outcomes on their way in: checked, compared with what was just said, written."""

from collections.abc import Callable
from typing import Any

from ..clock import Clock
from ..errors import BadInput
from ..ledger.events import Event
from .decision_id import UnknownDecision, parse
from .events import ResultRecorded
from .sessions import Sessions
from .state import run_key
from .terms import ERRORS, Arms, Task, check_number, check_text

# Results that a repeat is compared with before it is written; the fold compares once more, for all processes.
MOST = 32_768
_NUMBERS = ("latency_ms", "ttft_ms", "cost_usd", "tokens_in", "tokens_out", "retry_after_s")


class UnknownStep(BadInput):
    code = "router.unknown-step"


class Results:
    def __init__(
        self, record: Callable[[Event], None], arms: Arms, clock: Clock, key: bytes, sessions: Sessions
    ) -> None:
        self._record, self._arms, self._now, self._key = record, arms, clock.now, key
        self._sessions = sessions
        self._said: dict[tuple[str, int], tuple[Any, ...]] = {}
        self._session_of: dict[str, str] = {}

    def expect(self, decision: str, session: str) -> None:
        """Remember whose decision this is, so that its outcome reaches the session."""
        self._session_of[run_key(decision)] = session
        if len(self._session_of) > MOST:
            del self._session_of[next(iter(self._session_of))]

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
        numbers: tuple[float | None, ...],
    ) -> None:
        name, task_type, repo = self._subject(decision, arm, task)
        self._check(name, step, success, verified, error, model_served)
        for label, value in zip(_NUMBERS, numbers, strict=True):
            if value is not None:
                check_number(label, value)
        outcome = (success, error, verified, model_served, numbers)
        key = None if decision is None else (run_key(decision), step)
        if key is not None and self._said.get(key) == outcome:
            return
        now = self._now()
        latency_ms, ttft_ms, cost_usd, tokens_in, tokens_out, retry_after_s = numbers
        self._record(
            ResultRecorded(
                at=now,
                arm=name,
                task_type=task_type,
                decision=decision,
                repo=repo,
                step=step,
                success=success,
                latency_ms=latency_ms,
                ttft_ms=ttft_ms,
                cost_usd=cost_usd,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                error=error,
                verified=verified,
                retry_after_s=retry_after_s,
                model_served=model_served,
            )
        )
        if key is not None:
            self._said[key] = outcome
            if len(self._said) > MOST:
                del self._said[next(iter(self._said))]
        self._tell_session(decision, task, success if error is None or success is not None else False, now)

    def _subject(self, decision: str | None, arm: str | None, task: Task | None) -> tuple[str, str, str | None]:
        if decision is not None:
            parsed = parse(decision, self._key)
            if arm is not None and arm != parsed.arm:
                raise UnknownDecision(f"that decision was for {parsed.arm}, not for {arm}")
            return parsed.arm, parsed.task_type, parsed.repo
        if arm is None:
            raise BadInput("a result needs a decision_id or an arm")
        name = self._arms.get(arm).name
        if task is None:
            return name, "general", None
        check_text("a task's type", task.type)
        check_text("a task's repo", task.repo)
        return name, task.type, task.repo

    def _check(
        self, name: str, step: int, success: object, verified: object, error: object, model_served: object
    ) -> None:
        arm = self._arms.by_name.get(name)
        most = len(arm.steps) if arm is not None and arm.steps else 1
        if step and (type(step) is not int or not 0 <= step < most):
            raise UnknownStep(f"{name} has no step {step!r}", why=f"its steps are 0 to {most - 1}")
        if success is not None and type(success) is not bool:
            raise BadInput(f"success is {success!r:.40}", why="it must be true, false or unknown")
        if verified is not None and type(verified) is not bool:
            raise BadInput(f"verified is {verified!r:.40}", why="it must be true, false or unknown")
        if error is not None and error not in ERRORS:
            raise BadInput(f"error is {error!r:.40}", why=f"it must be one of {', '.join(sorted(ERRORS))}")
        if model_served is not None:
            check_text("model_served", model_served)

    def _tell_session(self, decision: str | None, task: Task | None, success: bool | None, now: float) -> None:
        session = task.session if task is not None else None
        if session is None and decision is not None and self._session_of:
            session = self._session_of.get(run_key(decision))
        if session is not None:
            self._sessions.ended(session, success, now)

"""What was learned elsewhere in the house, as far as a choice needs it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ..ledger.events import Event


class Lesson(Protocol):
    """`arm_penalties` are shares of what a success is worth."""

    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def suggestions(self) -> tuple[str, ...]: ...
    @property
    def risk_score(self) -> float: ...
    @property
    def should_pause(self) -> bool: ...
    @property
    def arm_penalties(self) -> Mapping[str, float]: ...


class Teacher(Protocol):
    """Lessons as of the position of the router's own state; `begin` is for a walk over the log from its start."""

    reads: frozenset[str]

    def begin(self) -> "Teacher": ...
    def fold(self, event: Event) -> None: ...
    def advised(self, session: str, arm: str) -> None: ...
    def lesson(
        self, task_type: str, now: float, *, repo: str | None = None, error_type: str | None = None, attempt: int = 1,
        tool: str | None = None,
    ) -> Lesson: ...  # fmt: skip


class NoLesson(msgspec.Struct, frozen=True):
    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    risk_score: float = 0.0
    should_pause: bool = False
    arm_penalties: Mapping[str, float] = {}


NOTHING = NoLesson()


class Nobody:
    """Where nothing is taught."""

    reads: frozenset[str] = frozenset()

    def begin(self) -> "Nobody":
        return self

    def fold(self, event: Event) -> None:
        """Nothing is read."""

    def advised(self, session: str, arm: str) -> None:
        """Nobody asks whom a record speaks of."""

    def lesson(self, *_: object, **__: object) -> Lesson:
        return NOTHING


NOBODY = Nobody()

"""What the router is told of what was learned; as pure as the fold that it reads."""

from ..ledger.events import Event
from .projection import LEARNING
from .risk import Lesson, lesson
from .state import LearningState, fold, follow


class Taught:
    def __init__(self, state: LearningState | None = None) -> None:
        self._state = state or LearningState()
        self.reads = frozenset(kind.TOPIC for kind in LEARNING.reads)

    def begin(self) -> "Taught":
        return Taught()

    def fold(self, event: Event) -> None:
        fold(self._state, event)

    def advised(self, session: str, arm: str) -> None:
        follow(self._state, session, arm)

    def lesson(
        self, task_type: str, now: float, *, repo: str | None = None, error_type: str | None = None, attempt: int = 1,
        tool: str | None = None,
    ) -> Lesson:  # fmt: skip
        return lesson(self._state, task_type, now, repo=repo, error_type=error_type, attempt=attempt, tool=tool)

"""Results of this process that are in the journal but not yet folded, and the state as it will be once they are.

A young task type learns from every result, and a caller may be faster than commits are. So its choices look ahead: the
advice says how many of its own results it had seen behind its position, and they stand in the log in the same order.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import msgspec

from .events import ResultRecorded
from .posterior import ArmBook, Beliefs, TypeBook
from .situation import Boards
from .state import RouterState, foresee

S = TypeVar("S", bound=msgspec.Struct)

_decode = msgspec.json.Decoder(ResultRecorded).decode

YOUNG = 320  # results of a task type up to which each choice looks ahead as far as it can
# Later on a choice looks ahead where a commit brings so many of its results, and only so far that it is worth it.
STRIDE = 128
CALM = 16  # choices after which nobody looks ahead any more that had no need to
MOST = 2048  # results that wait; where there are more, the fold is waited for


class Ahead:
    """A copy of what is believed of one task type at one position, that learns on; all else is shared."""

    def __init__(self, state: RouterState, task_type: str, position: int, boards: Boards | None = None) -> None:
        self.position, self.count = position, 0
        self._base = state
        self.state = _copy(state)
        self.state.beliefs = _copied(state.beliefs, task_type)
        # Books that are copies by now: whoever has no result ahead shares its book with the base.
        self._copies = set[str]()
        self.state.seen = {task_type: state.seen.get(task_type, 0)}
        self.state.runs, self.state.runs_before = {}, {}
        self.boards = boards or Boards()

    def learn(self, event: ResultRecorded) -> None:
        self.count += 1
        arm = self._base.arms.get(event.arm)
        names = {event.arm, *([step for step, _ in arm.steps] if arm is not None else ())} - self._copies
        if names:
            self._copies |= names
            for name in names:
                self._copy_book(name, event.task_type)
            # Boards find the copies where they are shown other beliefs.
            self.state.beliefs = _copy(self.state.beliefs)
        foresee(self.state, self._base, event)

    def _copy_book(self, name: str, task_type: str) -> None:
        arms = self.state.beliefs.arms
        book = arms.get(name)
        if book is not None:
            types, kind = dict[str, TypeBook](), book.types.get(task_type)
            if kind is not None:
                repos = {repo: _copy(tally) for repo, tally in kind.repos.items()}
                types[task_type] = TypeBook(_copy(kind.tally), repos)
            arms[name] = ArmBook(_copy(book.total), types)

    def beside(self, other: RouterState) -> RouterState:
        """What was learned, among breakers and tails of another policy."""
        found = _copy(other)
        found.beliefs, found.seen = self.state.beliefs, self.state.seen
        return found


class Waiting:
    """The results of one task type that this process wrote since frame `since` of its journal, in that order."""

    __slots__ = ("_inside", "_lock", "ahead", "boards", "needless", "results", "since", "stride")

    def __init__(self, since: int) -> None:
        self.since, self.stride, self.needless = since, 1, 0
        self.results: list[tuple[int, bytes]] = []
        self.ahead: Ahead | None = None
        self.boards = Boards()
        self._inside = False
        self._lock = threading.RLock()

    @property
    def news(self) -> int:
        """How many results a choice should know of by now."""
        count = len(self.results)
        return count - count % self.stride

    def write(self, write: Callable[[bytes], int], encoded: bytes) -> bool:
        """False when somebody interrupted us here and wrote too, or nobody knows what was written."""
        with self._lock:
            orderly = not self._inside
            self._inside = True
            try:
                self.results.append((write(encoded), encoded))
            finally:
                self._inside = False
            return orderly


class States(Protocol):
    """`marked` is the last frame of this process's journal that the state at `position` has folded."""

    position: int
    marked: int


class Foresight:
    def __init__(self, states: States, appended: Callable[[], int]) -> None:
        self._states, self._appended = states, appended
        self.waiting: dict[str, Waiting] = {}

    def write(self, write: Callable[[bytes], int], kind: str, encoded: bytes) -> None:
        waiting = self.waiting.get(kind)
        if waiting is None:
            frame = write(encoded)
            # Somebody began to wait while we wrote.
            waiting = self.waiting.get(kind)
            if waiting is not None:
                waiting.since = max(waiting.since, frame)
            return
        orderly = False
        try:
            orderly = waiting.write(write, encoded)
        finally:
            if not orderly or len(waiting.results) > MOST:
                self.waiting.pop(kind, None)

    def ahead(self, state: RouterState, task_type: str, known: int) -> Ahead | None:
        """The state ahead of the fold, where there is one; asked while the states are still.

        `known` results of the task type were known to the choice before.
        """
        seen = state.seen.get(task_type, 0)
        waiting = self.waiting.get(task_type)
        if waiting is None:
            if seen < YOUNG or seen - known >= STRIDE:
                self.waiting[task_type] = Waiting(self._appended())
            return None
        position, marked, results = self._states.position, self._states.marked, waiting.results
        folded = 0
        while folded < len(results) and results[folded][0] <= marked:
            folded += 1
        del results[:folded]
        waiting.stride = 1 if seen < YOUNG else STRIDE
        if len(results) < waiting.stride or marked < waiting.since:
            waiting.needless += seen >= YOUNG
            if waiting.needless > CALM:
                self.waiting.pop(task_type, None)
            waiting.ahead = None
            return None
        waiting.needless = 0
        ahead = waiting.ahead
        if ahead is None or ahead.position != position:
            ahead = waiting.ahead = Ahead(state, task_type, position, waiting.boards)
        for _, encoded in results[ahead.count :]:
            ahead.learn(_decode(encoded))
        return ahead


def _copied(beliefs: Beliefs, task_type: str) -> Beliefs:
    return Beliefs(
        dict(beliefs.arms),
        {task_type: beliefs.seen.get(task_type, 0)},
        {name: _copy(book) for name, book in beliefs.verifiers.items()},
        _copy(beliefs.carry),
        {name: _copy(carry) for name, carry in beliefs.carries.items()},
    )


def _copy(struct: S) -> S:
    """A third of the time that `copy.copy` takes: a caller waits for some hundred of them."""
    copied: S = cast("Any", struct).__copy__()
    return copied

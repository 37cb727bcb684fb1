"""The way in for records: checked without a lock on the states, one commit a batch, decided again after a conflict."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import msgspec

from ..flags.declared import SigningMode
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder
from . import rules
from .events import STREAM, RecordAccepted
from .keys import key_id
from .projection import LEARNING
from .reasons import Reason
from .risk import Lesson, lesson
from .state import AgentKey, LearningState

BATCH = 1024
T = TypeVar("T")
Decided = tuple[Sequence[Event], T]


class Taken(NamedTuple):
    """What became of one batch; `told`: the log knows of all rejections so far."""

    accepted: int
    reasons: Counter[str]
    told: bool


class Ingested(msgspec.Struct, frozen=True):
    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, int] = {}


class Counts(msgspec.Struct, frozen=True):
    """Since the ledger began, this process's untold rejections included."""

    mode: str
    accepted: int
    unverified: int
    rejected: int
    reasons: dict[str, int]
    verdicts: dict[str, int]
    keys: int
    patterns: int


class Learning:
    def __init__(
        self,
        ledger: Ledger,
        states: Folder,
        mode: Callable[[], SigningMode],
        *,
        invalidation: bool = True,
    ) -> None:
        self._ledger, self._states, self._mode = ledger, states, mode
        self._invalidation = invalidation
        self._now = ledger.clock.now
        self._deciding = threading.RLock()
        self._untold: Counter[str] = Counter()
        self._keys: tuple[int, dict[str, rules.Known]] = (-1, {})

    @property
    def state(self) -> LearningState:
        """Keys, patterns and counts, folded."""
        state: LearningState = self._states.state(LEARNING)
        return state

    def learn(self, record: bytes | str) -> Ingested:
        """One record; in the ledger when this returns, or refused with its reason."""
        return self.ingest((record,))

    def ingest(self, lines: Iterable[bytes | str]) -> Ingested:
        """Many records, one commit for each thousand; never raises for what a line says."""
        accepted, reasons, rest = 0, Counter[str](), iter(lines)
        while batch := list(islice(rest, BATCH)):
            with self._deciding:
                taken = self._write(partial(self._decide, batch))
                self._untold = Counter() if taken.told else self._untold + taken.reasons
                if self.state.untold:
                    self._write(lambda: (rules.tell_suspicions(self.state, self._now()), None))
            accepted += taken.accepted
            reasons += taken.reasons
        return Ingested(accepted, reasons.total(), dict(sorted(reasons.items())))

    def declare_mode(self) -> None:
        """Say aloud that the signing mode is another one than before."""
        if self._mode() != self.state.mode:
            self._write(lambda: (rules.change_mode(self.state, self._mode(), self._now()), None))

    def admit(self, name: str, public: bytes) -> AgentKey:
        """An agent's key may sign from here on."""
        self._write(lambda: (rules.admit(self.state, name, public, self._now()), None))
        return self.state.keys[key_id(public)]

    def revoke(self, name: str, reason: str = "revoked") -> None:
        """An agent's key may sign no more; what it signed before stays."""
        self._write(lambda: (rules.revoke(self.state, name, reason, self._now()), None))

    def pin(self, task_type: str, pattern: str, *, actor: str, core: bool = True) -> None:
        """Make a pattern a rule of the house, which does not fade."""
        self._write(lambda: (rules.pin(self.state, task_type, pattern, core, actor, self._now()), None))

    def keys(self) -> dict[str, AgentKey]:
        """Every key that was ever admitted, by its name."""
        self._states.catch_up()
        return dict(self.state.keys)

    def lesson(self, task_type: str, **about: Any) -> Lesson:
        """What was learned about such a task."""
        with self._states.still():
            return lesson(self.state, task_type, self._now(), **about)

    def counts(self) -> Counts:
        """Records accepted and rejected, by reason, those not told of yet included."""
        state = self.state
        reasons = {reason.value: 0 for reason in Reason} | dict(state.rejected)
        for reason, count in list(self._untold.items()):
            reasons[reason] += count
        in_use = sum(agent.revoked is None for agent in list(state.keys.values()))
        return Counts(
            self._mode(), state.accepted, state.unverified, sum(reasons.values()), reasons,
            dict(state.verdicts), in_use, state.patterns,
        )  # fmt: skip

    def flush(self) -> None:
        """Write what was rejected and not told of yet."""
        with self._deciding:
            if self._untold:
                told = dict(self._untold)
                mode = self._mode()
                self._write(lambda: (rules.tell_rejections(self.state, mode, told, self._now(), anyway=True), None))
                self._untold.clear()

    def _decide(self, batch: list[bytes | str]) -> Decided[Taken]:
        state, mode, now = self.state, self._mode(), self._now()
        accepted: list[RecordAccepted] = []
        reasons = Counter[str]()
        for found in self._judged(batch, state, mode, now):
            if isinstance(found, Reason):
                reasons[found.value] += 1
            else:
                accepted.append(found)
        events = [*rules.change_mode(state, mode, now), *accepted]
        if self._invalidation:
            events += rules.invalidate(accepted, now)
        told = rules.tell_rejections(state, mode, self._untold + reasons, now, anyway=bool(events))
        return [*events, *told], Taken(len(accepted), reasons, bool(told))

    def _judged(
        self, batch: list[bytes | str], state: LearningState, mode: SigningMode, now: float
    ) -> Iterator[RecordAccepted | Reason]:
        keys, fresh = self._known(state), set[tuple[str, bytes]]()
        for line in batch:
            checked = rules.check(line, keys, mode)
            yield checked if isinstance(checked, Reason) else rules.judge(state, checked, now, fresh)

    def _known(self, state: LearningState) -> dict[str, rules.Known]:
        """The keys ready for use; renewed when one came or went."""
        stamp = sum(1 if agent.revoked is None else 2 for agent in list(state.keys.values()))
        if self._keys[0] != stamp:
            self._keys = stamp, rules.known_keys(state)
        return self._keys[1]

    def _write(self, decide: Callable[[], Decided[T]]) -> T:
        def seen() -> deciding.Decision[T]:
            with self._states.still():
                # No event is half folded: all that this version counts is in the state.
                version = self.state.version
            return deciding.Decision(version, *decide())

        with self._deciding:
            return deciding.write(self._ledger, self._states, STREAM, seen)

"""Every recorded decision, decided again from the log alone: same state, same inputs, same path, or it is named."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from ..ledger.events import Event
from .choice import SLOTS
from .entries import Entry, Origin, Prepared, decide
from .events import EVENTS, AdviceGiven, CatalogueDeclared
from .situation import Boards, Request, Situation, look
from .state import RouterState, fold
from .strategies import STRATEGIES, Strategy
from .terms import Arms, Policy

SAMPLES = 10


class Mismatch(msgspec.Struct, frozen=True):
    position: int
    decision: str
    recorded: str
    replayed: str


class Parity(msgspec.Struct):
    decisions: int = 0
    matched: int = 0
    mismatches: list[Mismatch] = []

    @property
    def parity(self) -> float:
        return self.matched / self.decisions if self.decisions else 1.0


class Point(NamedTuple):
    """One compilation: all decisions that were drawn from it share it."""

    position: int
    compiled_at: float
    declared: str
    request: Request
    bypassed: tuple[str, ...]


Log = Callable[[], Iterator[tuple[int, Event]]]  # (position, event), from the beginning, each time it is called


class Replay:
    """Two walks over the log: the first finds out when something was compiled, the second does it again."""

    def __init__(self, log: Log, since: int = 1, until: int | None = None) -> None:
        self._log, self._since, self._until = log, since, until
        self._state = RouterState()
        self._boards = Boards()
        self._declared: dict[str, tuple[Arms, Policy]] = {}
        self._due: dict[int, list[Point]] = {}
        self._left: dict[Point, int] = {}
        self._ready: dict[Point, Entry] = {}

    def run(self) -> Parity:
        parity = Parity()
        for position, event in self._log():
            if isinstance(event, AdviceGiven) and self._asked(position):
                point = point_of(event)
                if point not in self._left:
                    self._due.setdefault(point.position, []).append(point)
                self._left[point] = self._left.get(point, 0) + 1
        self._compile(0)
        for position, event in self._log():
            if isinstance(event, CatalogueDeclared):
                self._declared[event.declared] = (Arms(event.arms), event.policy)
            if isinstance(event, AdviceGiven) and self._asked(position):
                self._compare(position, event, parity)
            if isinstance(event, EVENTS):
                fold(self._state, event)
            if position in self._due:
                self._compile(position)
        return parity

    def _asked(self, position: int) -> bool:
        return position >= self._since and (self._until is None or position <= self._until)

    def _compile(self, position: int) -> None:
        for point in self._due.pop(position, ()):
            if point.declared in self._declared:
                self._ready[point] = recompile(self._state, point, *self._declared[point.declared], self._boards)

    def _compare(self, position: int, event: AdviceGiven, parity: Parity) -> None:
        point = point_of(event)
        entry = self._ready.get(point)
        parity.decisions += 1
        replayed = None if entry is None else drawn(entry, event.seed, event.probed)
        path = "" if replayed is None else replayed.path_hash
        if replayed is not None and path == event.path_hash and replayed.arm.name == event.arm:
            parity.matched += 1
        elif len(parity.mismatches) < SAMPLES:
            parity.mismatches.append(Mismatch(position, event.decision, event.path_hash, path))
        self._left[point] -= 1
        if not self._left[point]:
            del self._left[point]
            self._ready.pop(point, None)


class Quiet:
    """Asks the strategies and tells nobody."""

    def ask(self, strategy: Strategy, situation: Situation) -> object:
        return strategy.choose(situation)

    def failed(self, strategy: str, reason: str) -> None:
        """A strategy that fails now, and did not then, shows as a mismatch."""

    def answered(self, strategy: str) -> None:
        """As expected."""


def point_of(event: AdviceGiven) -> Point:
    size = event.tokens_in
    request = Request(
        event.task_type, event.repo, event.incumbent, event.stuck, event.in_tool_loop, event.override, event.candidates,
        event.required_tools, event.strengths, event.budget_usd, event.deadline_ms,
        None if size is None else 1 << size.bit_length(),
    )  # fmt: skip
    return Point(event.position, event.compiled_at, event.declared, request, event.bypassed)


def recompile(state: RouterState, point: Point, arms: Arms, policy: Policy, boards: Boards) -> Entry:
    situation = look(state, point.request, arms, policy, point.compiled_at, boards)
    ordered = sorted(STRATEGIES, key=lambda strategy: -strategy.priority)
    return decide(situation, ordered, Origin(point.position, "", point.declared), Quiet(), point.bypassed)


def drawn(entry: Entry, seed: int, probed: bool) -> Prepared:
    if probed and entry.probe is not None:
        return entry.probe
    slot = seed % SLOTS
    at = next(number for number, edge in enumerate(entry.edges) if slot < edge)
    return entry.prepared[at] or entry.prepare(at)

"""The router's own past, read back from the log."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..errors import ControlPlaneError
from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event
from .ahead import Ahead
from .decision_id import UnknownDecision
from .events import AdviceGiven, CatalogueDeclared, ResultRecorded
from .explain import Explanation, explain
from .lessons import NOBODY, Teacher
from .projection import READS
from .replay import Parity, Point, Replay, again, point_of, recompile
from .sim_report import Simulation, SimulationRequest
from .simulation import Signed, Simulator, Told
from .situation import Boards
from .state import RouterState, fold
from .strategies import STRATEGIES, Strategy
from .terms import Arms, Policy

# Small enough that reading a long log hardly ever wakes the garbage collector.
CHUNK = 512
LAST = "last"
_TOPICS = frozenset(kind.TOPIC for kind in READS)


class NotCaptured(ControlPlaneError):
    """The decision was recorded without its inputs, or by a catalogue that is not there."""

    code = "router.not-captured"


class Log(Protocol):
    catalogue: Catalogue

    def rows(self, after: int = 0, limit: int = CHUNK) -> list[Row]: ...


class History:
    def __init__(self, log: Log, strategies: Sequence[Strategy] = STRATEGIES, teacher: Teacher = NOBODY) -> None:
        self._teacher = teacher
        self._log, self._strategies = log, sorted(strategies, key=lambda strategy: -strategy.priority)

    def chunks(self, after: int = 0) -> Iterator[list[Row]]:
        while rows := self._log.rows(after, CHUNK):
            yield rows
            after = rows[-1][0]

    def rows(self, after: int = 0) -> Iterator[Row]:
        for rows in self.chunks(after):
            yield from rows

    def events(self, after: int = 0) -> Iterator[tuple[int, Event]]:
        """Every position, with the events that a choice depends on; others pass as they are counted."""
        decode, read = self._log.catalogue.decode, _TOPICS | self._teacher.reads
        for position, _, _, topic, state in self.rows(after):
            yield position, decode(topic, state) if topic in read else _NOTHING

    def replay(self, since: int = 1, until: int | None = None) -> Parity:
        return Replay(self.chunks, self._log.catalogue, since, until, self._strategies, self._teacher).run()

    def simulate(
        self,
        policy: Policy | None,
        request: SimulationRequest,
        signed: Signed,
        since: int = 1,
        until: int | None = None,
        *,
        told: Callable[[Told], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Simulation:
        return Simulator(
            self.chunks, self._log.catalogue, policy, request, signed, since, until, self._strategies, self._teacher,
            told, progress,
        ).simulate()  # fmt: skip

    def explain(self, decision: str, near: int) -> Explanation:
        position, stream, event = self._find(decision, near)
        if not event.captured:
            raise NotCaptured(
                "that decision was recorded without its inputs",
                why="OPENCODE_REPLAY_CAPTURE was off",
                cure="switch it on; decisions from then on can be explained",
            )
        point = point_of(event)
        state, declared, teacher = RouterState(), dict[str, tuple[Arms, Policy]](), self._teacher.begin()
        for at, fact in self.events():
            if at > point.position:
                break
            if isinstance(fact, CatalogueDeclared):
                declared[fact.declared] = (Arms(fact.arms), fact.policy)
            if fact.TOPIC in teacher.reads:
                teacher.fold(fact)
            if isinstance(fact, READS):
                fold(state, fact)
        arms, policy = declared[point.declared]
        if point.ahead:
            state = self._ahead(state, point, stream).state
        entry = recompile(state, point, arms, policy, Boards(), self._strategies, teacher)
        return explain(position, event, entry, again(entry, event.seed, event.probed), policy.hash)

    def _ahead(self, state: RouterState, point: Point, stream: str) -> Ahead:
        """What the decision had seen of its own journal behind its position."""
        kind = point.request.task_type
        ahead = Ahead(state, kind, point.position)
        for _, written_by, _, topic, stored in self.rows(point.position):
            if ahead.count == point.ahead:
                break
            if (written_by, topic) == (stream, ResultRecorded.TOPIC):
                event = self._log.catalogue.decode(topic, stored)
                if isinstance(event, ResultRecorded) and event.task_type == kind:
                    ahead.learn(event)
        return ahead

    def named(self, decision: str, size: Callable[[], int]) -> str:
        """The decision itself, or the newest one of the log."""
        if decision != LAST:
            return decision
        for after in range(size() - CHUNK, -CHUNK, -CHUNK):
            for _, _, _, topic, stored in reversed(self._log.rows(max(0, after), min(CHUNK, after + CHUNK))):
                event = self._log.catalogue.decode(topic, stored) if topic == AdviceGiven.TOPIC else None
                if isinstance(event, AdviceGiven):
                    return event.decision
        raise UnknownDecision("there is no decision yet", cure="ask for one: control-plane advise --task-type code.fix")

    def _find(self, decision: str, near: int) -> tuple[int, str, AdviceGiven]:
        """A decision lies behind the state that it was made from, and seldom far."""
        decode = self._log.catalogue.decode
        for position, stream, _, topic, stored in self.rows(near):
            event = decode(topic, stored) if topic == AdviceGiven.TOPIC else None
            if isinstance(event, AdviceGiven) and event.decision == decision:
                return position, stream, event
        raise UnknownDecision(
            "that decision is not in the log", why="it may wait in another process's journal", cure="try again"
        )


_NOTHING = Event(at=0.0)

"""Every recorded decision, decided again from the log alone: same state, same inputs, same path, or it is named."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from ..errors import ControlPlaneError
from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event, version_of
from .ahead import Ahead
from .choice import SLOTS
from .entries import Entry, Origin, Prepared, decide, prepare
from .events import AdviceGiven, CatalogueDeclared, ResultRecorded
from .lessons import NOBODY, Teacher
from .request import Request
from .situation import Boards, Situation, look
from .state import READ, RouterState, fold, start
from .strategies import STRATEGIES, Strategy
from .terms import Arms, Policy

SAMPLES = 10
# Where the part of an advice's event begins that all decisions of one kept choice and arm share.
_SHARED = b'"position":'
ADVICE, RESULT = AdviceGiven.TOPIC, ResultRecorded.TOPIC
BITS = SLOTS - 1
MOST = sys.maxsize
# About 100 MB.
KEPT = 131_072
# Results in which those that a decision had seen ahead are looked for.
REACH = 65_536
FAULTS = (ControlPlaneError, ArithmeticError, LookupError, TypeError, ValueError)


class Mismatch(msgspec.Struct, frozen=True):
    position: int
    decision: str
    recorded: str
    replayed: str


class Parity(msgspec.Struct):
    """A decision that was recorded without its inputs counts as one that does not match."""

    decisions: int = 0
    matched: int = 0
    uncaptured: int = 0
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
    ahead: int = 0
    process: str = ""


class Drawn(msgspec.Struct):
    """Decisions that differ in nothing but time, id, seed and session; the slots that lead to their path."""

    point: Point
    arm: str
    path_hash: str
    propensity: float
    probed: bool
    captured: bool
    told: AdviceGiven
    left: int = 0
    first: int = 0
    end: int = 0
    entry: Entry | None = None


class Head(msgspec.Struct, frozen=True, tag_field="v", tag=version_of(AdviceGiven), gc=False):
    """What decisions of one kept choice and arm do not share: a fifth of the work of reading the whole event."""

    at: float
    decision: str
    seed: int
    session: str | None = None


class Span:
    """What one journal brought behind a position, as far as somebody had looked ahead there."""

    __slots__ = ("position", "results", "stream", "upto")

    def __init__(self, position: int, stream: str) -> None:
        self.position, self.stream, self.upto = position, stream, position
        self.results: dict[str, list[ResultRecorded]] = {}


_read_head = msgspec.json.Decoder(Head).decode


class Replay:
    """Two walks over the log: the first finds out when something was compiled, the second does it again."""

    def __init__(
        self,
        log: Callable[[], Iterator[Sequence[Row]]],
        catalogue: Catalogue,
        since: int = 1,
        until: int | None = None,
        strategies: Sequence[Strategy] = STRATEGIES,
        teacher: Teacher = NOBODY,
    ) -> None:
        self._log, self._decode = log, catalogue.decode
        self._since, self._until = since, MOST if until is None else until
        self._strategies = sorted(strategies, key=lambda strategy: -strategy.priority)
        self._state, self._teacher = RouterState(), teacher.begin()
        self._boards = Boards()
        self._declared: dict[str, tuple[Arms, Policy]] = {}
        self._drawn: deque[Drawn] = deque()
        self._due: dict[int, dict[Point, list[Drawn]]] = {}
        self._parity = Parity()
        self._kept: list[Sequence[Row]] = []
        self._last = 0
        # What decisions that looked ahead had seen; a decision stands close behind it.
        self._recent: deque[tuple[int, str, bytes]] = deque(maxlen=REACH)
        self._span = Span(-1, "")
        self._foreseen: dict[Point, list[ResultRecorded]] = {}
        self._ahead: tuple[tuple[str, str], Ahead] | None = None
        self._ahead_boards = Boards()

    def run(self) -> Parity:
        self._walk()
        return self._parity

    def _walk(self) -> None:
        self._collect()
        self._compile(0)
        since, until, due, read = self._since, self._until, self._due, self._teacher.reads
        decode, compare, follow_advice, follow_result = (
            self._decode, self._compare, self._follow_advice, self._follow_result,
        )  # fmt: skip
        for rows in self._again():
            for position, _, _, topic, stored in rows:
                if topic == ADVICE and since <= position <= until:
                    head = self._head(stored)
                    drawn = self._drawn.popleft()
                    compare(position, head, drawn)
                    follow_advice(head, drawn)
                elif topic == RESULT:
                    follow_result(decode(RESULT, stored))
                elif topic in READ or topic in read:
                    self._follow(topic, decode(topic, stored))
                if position in due:
                    self._compile(position)
            self._passed(rows[-1][0])

    def _follow_advice(self, head: Head, drawn: Drawn) -> None:
        # Totals for people are left out: no choice depends on them.
        start(self._state, drawn.arm, head.decision, head.at, drawn.probed)
        if head.session is not None:
            self._teacher.advised(head.session, drawn.arm)

    def _follow_result(self, event: Event) -> None:
        if RESULT in self._teacher.reads:
            self._follow(RESULT, event)
            return
        try:
            fold(self._state, event)
        except FAULTS:
            """The folds of the live process pass over it in the same way."""

    def _follow(self, topic: str, event: Event) -> None:
        if isinstance(event, CatalogueDeclared):
            self._declared[event.declared] = (Arms(event.arms), event.policy)
        try:
            if topic in self._teacher.reads:
                self._teacher.fold(event)
            if topic in READ:
                fold(self._state, event)
        except FAULTS:
            """The folds of the live process pass over it in the same way."""

    def _passed(self, position: int) -> None:
        """So far it has come."""

    def _again(self) -> Iterator[Sequence[Row]]:
        """The same rows once more, and none that came meanwhile."""
        kept, self._kept = self._kept, []
        if kept:
            yield from kept
            return
        for rows in self._log():
            if rows[-1][0] >= self._last:
                yield [row for row in rows if row[0] <= self._last]
                return
            yield rows

    def _collect(self) -> None:
        """What was drawn from what; events with the same shared part need to be read only once."""
        known: dict[bytes, Drawn] = {}
        since, until, due, every = self._since, self._until, self._due, self._drawn
        recent = self._recent
        for rows in self._log():
            self._last = rows[-1][0]
            # A log of some length is read twice, a short one is remembered.
            if self._last <= KEPT:
                self._kept.append(rows)
            else:
                self._kept.clear()
            for position, stream, _, topic, stored in rows:
                if topic == RESULT:
                    recent.append((position, stream, stored))
                elif topic == ADVICE and since <= position <= until:
                    at = stored.find(_SHARED)
                    shared = stored[at:] if at > 0 else stored
                    drawn = known.get(shared)
                    if drawn is None:
                        drawn = known[shared] = self._read(stored)
                        if drawn.point.ahead and drawn.point not in self._foreseen:
                            self._foreseen[drawn.point] = self._behind(drawn.point, stream)
                        due.setdefault(drawn.point.position, {}).setdefault(drawn.point, []).append(drawn)
                    drawn.left += 1
                    every.append(drawn)

    def _behind(self, point: Point, stream: str) -> list[ResultRecorded]:
        """The results that a decision had seen behind its position."""
        span = self._span
        if (span.position, span.stream) != (point.position, stream):
            span = self._span = Span(point.position, stream)
        fresh = list[bytes]()
        for position, written_by, stored in reversed(self._recent):
            if position <= span.upto:
                break
            if written_by == stream:
                fresh.append(stored)
        if self._recent:
            span.upto = max(span.upto, self._recent[-1][0])
        for stored in reversed(fresh):
            event = self._result(stored)
            span.results.setdefault(event.task_type, []).append(event)
        return span.results.get(point.request.task_type, [])[: point.ahead]

    def _result(self, stored: bytes) -> ResultRecorded:
        event = self._decode(RESULT, stored)
        assert isinstance(event, ResultRecorded)
        return event

    def _read(self, stored: bytes) -> Drawn:
        event = self._decode(ADVICE, stored)
        assert isinstance(event, AdviceGiven)
        return Drawn(point_of(event), event.arm, event.path_hash, event.propensity, event.probed, event.captured, event)

    def _head(self, stored: bytes) -> Head:
        try:
            return _read_head(stored)
        except msgspec.ValidationError:
            """Of another version."""
        event = self._decode(ADVICE, stored)
        assert isinstance(event, AdviceGiven)
        return Head(event.at, event.decision, event.seed, event.session)

    def _compile(self, position: int) -> None:
        self._ahead = None
        for point, every in sorted(self._due.pop(position, {}).items(), key=lambda due: _in_turn(due[0])):
            if point.declared in self._declared:
                declared = self._declared[point.declared]
                state, boards = self._state, self._boards
                if point.ahead:
                    ahead = self._look_ahead(point)
                    state, boards = ahead.state, ahead.boards
                entry = recompile(state, point, *declared, boards, self._strategies, self._teacher)
                self._compiled(point, every, entry)

    def _look_ahead(self, point: Point) -> Ahead:
        """The state at its position, and what it had seen behind it; for the next that looks further, learned on."""
        whose = point.process, point.request.task_type
        if self._ahead is None or self._ahead[0] != whose or self._ahead[1].count > point.ahead:
            self._ahead = whose, Ahead(self._state, point.request.task_type, point.position, self._ahead_boards)
        ahead = self._ahead[1]
        for event in self._foreseen.pop(point, [])[ahead.count :]:
            ahead.learn(event)
        return ahead

    def _compiled(self, _: Point, every: list[Drawn], entry: Entry) -> None:
        for drawn in every:
            drawn.entry = entry
            drawn.first, drawn.end = leading_slots(entry, drawn)

    def _compare(self, position: int, head: Head, drawn: Drawn) -> bool:
        parity = self._parity
        parity.decisions += 1
        drawn.left -= 1
        matched = drawn.first <= head.seed & BITS < drawn.end
        if matched:
            parity.matched += 1
        else:
            parity.uncaptured += not drawn.captured
            if len(parity.mismatches) < SAMPLES:
                replayed = "" if drawn.entry is None else again(drawn.entry, head.seed, drawn.probed).path_hash
                parity.mismatches.append(Mismatch(position, head.decision, drawn.path_hash, replayed))
        if not drawn.left:
            drawn.entry = None
        return matched


class Quiet:
    """Asks the strategies and tells nobody."""

    def ask(self, strategy: Strategy, situation: Situation) -> object:
        return strategy.choose(situation)

    def failed(self, strategy: str, reason: str) -> None:
        """A strategy that fails now, and did not then, shows as a mismatch."""

    def answered(self, strategy: str) -> None:
        """As expected."""


def _in_turn(point: Point) -> tuple[str, str, int]:
    """Who looked further comes later: what it saw begins with what the others saw."""
    return point.process, point.request.task_type, point.ahead


def leading_slots(entry: Entry, drawn: Drawn) -> tuple[int, int]:
    """The slots that lead to the recorded arm on the recorded path; none where this choice leads elsewhere."""
    if drawn.probed:
        probe = entry.probe
        same = probe is not None and (probe.arm.name, probe.path_hash) == (drawn.arm, drawn.path_hash)
        return (0, SLOTS) if same else (0, 0)
    if drawn.arm not in entry.choice.arms:
        return 0, 0
    at = entry.choice.arms.index(drawn.arm)
    if prepare(entry.situation, entry.strategy, entry.choice, at).path_hash != drawn.path_hash:
        return 0, 0
    return entry.edges[at - 1] if at else 0, entry.edges[at]


def point_of(event: AdviceGiven) -> Point:
    size = event.tokens_in
    request = Request(
        event.task_type, event.repo, event.incumbent, event.stuck, event.in_tool_loop, event.override, event.candidates,
        event.required_tools, event.strengths, event.budget_usd, event.deadline_ms,
        None if size is None else 1 << size.bit_length(),
    )  # fmt: skip
    process = event.decision.split("-", 2)[1] if event.ahead else ""
    return Point(
        event.position, event.compiled_at, event.declared, request, event.bypassed, event.ahead, process
    )  # fmt: skip


def recompile(
    state: RouterState,
    point: Point,
    arms: Arms,
    policy: Policy,
    boards: Boards,
    strategies: Sequence[Strategy] = STRATEGIES,
    teacher: Teacher = NOBODY,
) -> Entry:
    """`strategies` by falling priority."""
    situation = look(state, point.request, arms, policy, point.compiled_at, boards, teacher)
    return decide(situation, strategies, Origin(point.position, "", point.declared), Quiet(), point.bypassed)


def again(entry: Entry, seed: int, probed: bool) -> Prepared:
    if probed and entry.probe is not None:
        return entry.probe
    slot = seed % SLOTS
    at = next(number for number, edge in enumerate(entry.edges) if slot < edge)
    return entry.prepared[at] or entry.prepare(at)

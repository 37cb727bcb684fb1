"""The way in: advice from a kept choice, results into the journal; neither touches a disk or waits for one."""

import itertools
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from ..clock import Clock
from ..errors import BadInput
from ..ledger.events import Event
from ..redacting import without_secrets, without_secrets_in
from .ahead import Foresight
from .care import StrategyCare
from .choice import mix_bits
from .decision_id import sealer
from .entries import Entry, Origin, Prepared, decide
from .events import AdviceGiven
from .identity import Identity
from .lessons import NOBODY, Teacher
from .recent import Recent
from .request import Request
from .results import Results
from .sessions import Sessions
from .situation import Boards, look
from .state import RouterState
from .strategies import STRATEGIES, Strategy
from .terms import MOST_TOKENS, Advice, Arm, Arms, Policy, Task, check_number, check_text
from .wording import NO_DETAILS, Details, details, event_bytes

ENTRIES = 8192
# Where there is time, a choice is made anew after a single result: so many seconds after the last one was made.
LEISURE = 0.002
# A probe whose result does not come is given up after this.
PROBE_PATIENCE = 30.0


class States(Protocol):
    """Where the folded state is: while `still()` is held, it belongs to `position`."""

    position: int
    marked: int

    def still(self) -> AbstractContextManager[Any]: ...


class Writing(Protocol):
    """The hot road of a ledger."""

    def record(self, event: Event) -> None: ...
    def writer(self, kind: type[Event]) -> Callable[[bytes], int]: ...
    def written(self) -> int: ...


class Router:
    def __init__(
        self,
        state: RouterState,
        states: States,
        ledger: Writing,
        arms: Arms,
        policy: Policy,
        clock: Clock,
        identity: Identity,
        *,
        strategies: Sequence[Strategy] = STRATEGIES,
        bypass: bool = True,
        invalidation: bool = True,
        capture: bool = True,
        teacher: Teacher = NOBODY,
    ) -> None:
        self._state, self._states = state, states
        # Where news about kept choices comes from: without invalidation there is none, and they only age.
        self._news = state if invalidation else RouterState()
        self._capture, self._teacher = capture, teacher
        self._write, self._say = ledger.writer(AdviceGiven), ledger.record
        self._announced = state.moves
        self.arms, self.policy = arms, policy
        self._arms, self._policy, self._policy_hash = arms, policy, policy.hash
        self._now, self._identity, self.key = clock.now, identity, identity.key
        self._seal = sealer(identity.key)
        self.strategies = tuple(sorted(strategies, key=lambda strategy: -strategy.priority))
        self.care = StrategyCare([one.name for one in self.strategies], self._say, clock, policy.health, bypass=bypass)
        self._entries = Recent[tuple[Any, ...], Entry](ENTRIES)
        self._boards = Boards()
        self._numbers = itertools.count(1)
        self._claims = threading.Lock()
        self._probing: dict[str, tuple[float, float]] = {}
        self._leisure = 0.0
        self._sessions = Sessions()
        self._foresight = Foresight(states, ledger.written)
        self._waiting, self._looks_ahead = self._foresight.waiting, invalidation
        self.results = Results(ledger, arms, clock, identity, self._sessions, self._foresight)
        self._expect = self.results.expect

    def advise(self, task: Task) -> Advice:
        """Choose an arm; touches memory and the journal only, from any thread."""
        now = self._now()
        try:
            session, incumbent, stuck, size = task.session, None, False, task.tokens_in
            if session is not None:
                session, incumbent, stuck = self._held(session, now)
            request = (
                task.type, task.repo, incumbent, stuck, task.in_tool_loop, task.override, task.candidates,
                task.required_tools, task.strengths, task.budget_usd, task.deadline_ms,
                None if size is None else 1 << size.bit_length(),
            )  # fmt: skip
            entry = self._entries.get(request)
        except (AttributeError, TypeError):
            return self.advise(hashable(task))
        news, cached = self._news, True
        seen, waiting = news.seen.get(task.type, 0), self._waiting.get(task.type)
        if waiting is not None:
            seen += waiting.news
        if (
            entry is None or entry.epoch != news.epoch or not entry.begins <= now < entry.expires or seen >= entry.due
            or (seen > entry.seen and now >= self._leisure)
        ):  # fmt: skip
            cached = False
            entry = self._compile(task, Request._make(request), now, seen if entry is None else entry.seen)
        number = next(self._numbers)
        seed = mix_bits(self._identity.seed, number)
        prepared = entry.probe
        if prepared is None or not self._claim(prepared.arm, now):
            at = bisect_right(entry.edges, seed & 0xFFFFFFFF)
            prepared = entry.prepared[at] or entry.prepare(at)
        decision = self._seal(f"{prepared.head}{number:x}-{prepared.packed}")
        told, tail = details(task), prepared.tail
        warnings, suggestions, risk, pause = entry.warnings, entry.suggestions, entry.risk, entry.pause
        if told != NO_DETAILS:
            tail = self._told(entry, prepared, told)
            if entry.taught:
                warnings, suggestions, risk, pause = self._taught(entry, task, now)
        self._write(event_bytes(now, decision, seed, tail, session))
        arm, subject = prepared.arm, prepared.subject
        if session is not None:
            subject = subject.within(session)
            self._sessions.chose(session, arm.name, now)
        self._expect(decision, subject)
        return Advice(
            decision, arm.name, prepared.model, arm.agent, prepared.strategy, prepared.plan, prepared.score,
            prepared.confidence, prepared.chance, prepared.reasons, warnings, suggestions, risk,
            pause, self._policy_hash, entry.position, seed, prepared.path_hash, cached,
        )  # fmt: skip

    def _held(self, session: str, now: float) -> tuple[str, str | None, bool]:
        """The session as it is written down, the arm that it keeps, and whether it may not leave it."""
        known = self._sessions.get(session) if isinstance(session, str) else None
        if known is None:
            check_text("a task's session", session)
            clean = without_secrets(session)
            return (session, None, False) if clean is session else self._held(clean, now)
        return (session, *known.held(now))

    def announce(self) -> None:
        """Say aloud which breakers moved because of what this process recorded."""
        news, self._announced = self._state.moves - self._announced, self._state.moves
        for moved in self._state.moved[-news:] if news else ():
            if moved.process == self._identity.process:
                self._say(moved)

    def _told(self, entry: Entry, prepared: Prepared, told: Details) -> bytes:
        """A task that tells more than its request has its own event."""
        check_details(told)
        return entry.tail(prepared, without_secrets_in(told))

    def _taught(self, entry: Entry, task: Task, now: float) -> tuple[tuple[str, ...], tuple[str, ...], float, bool]:
        """What was learned of just this task: its error, its attempt, its tool."""
        with self._states.still():
            lesson = self._teacher.lesson(
                task.type, now, repo=task.repo, error_type=task.error_type, attempt=task.attempt, tool=task.tool
            )
        pause = lesson.should_pause or bool(entry.situation.unmet)
        return (*entry.filtered, *lesson.warnings), lesson.suggestions, lesson.risk_score, pause

    def _origin(self) -> Origin:
        return Origin(self._states.position, self._identity.process, self._identity.declared, self._capture)

    def _claim(self, arm: Arm, now: float) -> bool:
        """Only one call finds out whether a cooled arm is well again, once for each time that it was cooled."""
        held = self._state.held
        cooled_until = max(held.get(arm.name, 0.0), held.get(arm.provider or "", 0.0))
        with self._claims:
            claimed, patience = self._probing.get(arm.name, (-1.0, 0.0))
            if claimed == cooled_until and 0.0 < patience - now <= PROBE_PATIENCE:
                return False
            self._probing[arm.name] = (cooled_until, now + PROBE_PATIENCE)
            return True

    def _compile(self, task: Task, request: Request, now: float, known: int) -> Entry:
        check_task(task, self._arms)
        asked, request = request, speakable(request)
        bypassed = self.care.bypassed(now)
        with self._states.still():
            state, boards, origin = self._state, self._boards, self._origin()
            ahead = self._foresight.ahead(state, request.task_type, known) if self._looks_ahead else None
            if ahead is not None:
                state, boards, origin = ahead.state, ahead.boards, origin._replace(ahead=ahead.count)
            situation = look(state, request, self._arms, self._policy, now, boards, self._teacher)
            entry = decide(situation, self.strategies, origin, self.care, bypassed)
            entry.epoch = self._news.epoch
        if entry.bypassed:
            # Whoever was passed over is asked again as soon as that may be.
            entry.expires = min(entry.expires, self.care.asked_again_at(entry.bypassed))
        self.care.tell()
        self._leisure = now + LEISURE
        self._entries.put(asked, entry)
        return entry


def check_details(told: Details) -> None:
    attempt, complexity, error_type, tool, tokens_in, files, description = told
    check_number("attempt", attempt, least=1)
    check_number("tokens_in", tokens_in)
    if isinstance(complexity, str):
        check_text("complexity", complexity)
    elif complexity is not None:
        check_number("complexity", complexity)
    check_text("a task's error_type", error_type)
    check_text("a task's tool", tool)
    if not all(isinstance(file, str) for file in files) or not isinstance(description, str | None):
        raise BadInput("files are paths, and a description is text")


def check_task(task: Task, arms: Arms) -> None:
    """Refuse what makes no sense before anything is written; asked once for each kind of task."""
    if task.type is None:
        raise BadInput("a task needs a type")
    for name in ("type", "repo"):
        check_text(f"a task's {name}", getattr(task, name))
    check_number("tokens_in", task.tokens_in, most=MOST_TOKENS)
    check_number("budget_usd", task.budget_usd)
    check_number("deadline_ms", task.deadline_ms)
    for name in (*task.required_tools, *task.strengths):
        check_text("a tool or strength", name)
    if task.candidates is not None and not task.candidates:
        raise BadInput("candidates is empty", cure="leave it out to allow every arm")
    for name in (*(task.candidates or ()), *([task.override] if task.override is not None else [])):
        arms.get(name)


def speakable(request: Request) -> Request:
    """As it is decided and written down."""
    fields = ("task_type", "repo", "required_tools", "strengths")
    return request._replace(**{name: without_secrets_in(getattr(request, name)) for name in fields})


def hashable(task: Task) -> Task:
    """A task whose lists were given as lists."""
    if not isinstance(task, Task):
        raise BadInput(f"{task!r:.80} is no task", cure='pass a task, as in plane.advise(Task(type="code.fix"))')
    try:
        return msgspec.convert(msgspec.to_builtins(task), Task, strict=True)
    except msgspec.ValidationError as fault:
        raise BadInput(
            "a task cannot be read", why=str(fault), cure='see what a task has: Task(type="code.fix")'
        ) from None

"""The way in: advice from a kept choice, results into the journal; neither touches a disk or waits for one."""

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from ..clock import Clock
from ..errors import BadInput
from ..ledger.events import Event
from .care import StrategyCare
from .choice import mix_bits
from .decision_id import seal
from .entries import Entry, Prepared, decide
from .events import AdviceGiven
from .results import Results
from .sessions import Sessions
from .situation import Boards, Request, look
from .state import RouterState
from .strategies import STRATEGIES, Strategy
from .terms import Advice, Arms, Policy, Task, check_number, check_text

ENTRIES = 8192
# A probe whose result does not come is given up after this.
PROBE_PATIENCE = 30.0


class States(Protocol):
    """Where the folded state is: while `still()` is held, it belongs to `position`."""

    position: int

    def still(self) -> AbstractContextManager[Any]: ...


class Identity(msgspec.Struct, frozen=True):
    """What every decision of this process says of its origin."""

    key: bytes
    process: str
    seed: int
    environment: str


class Router:
    def __init__(
        self,
        state: RouterState,
        states: States,
        record: Callable[[Event], None],
        arms: Arms,
        policy: Policy,
        clock: Clock,
        identity: Identity,
        *,
        strategies: Sequence[Strategy] = STRATEGIES,
        bypass: bool = True,
    ) -> None:
        self._state, self._states, self._record = state, states, record
        self._arms, self._policy, self._policy_hash = arms, policy, policy.hash
        self._now, self._identity = clock.now, identity
        self._strategies = tuple(sorted(strategies, key=lambda strategy: -strategy.priority))
        names = [strategy.name for strategy in self._strategies]
        self.care = StrategyCare(names, record, clock, policy.health, bypass=bypass)
        self._entries: dict[Request, Entry] = {}
        self._boards = Boards()
        self._numbers = itertools.count(1)
        self._claims = threading.Lock()
        self._probing: dict[str, float] = {}
        self._sessions = Sessions()
        self.results = Results(record, arms, clock, identity.key, self._sessions)

    def advise(self, task: Task) -> Advice:
        now = self._now()
        incumbent, stuck = None, False
        if task.session is not None:
            incumbent, stuck = self._sessions.held(task.session, now)
        size = task.tokens_in
        request = Request(
            task.type, task.repo, incumbent, stuck, task.in_tool_loop, task.override, task.candidates,
            task.required_tools, task.strengths, task.budget_usd, task.deadline_ms,
            None if size is None else 1 << size.bit_length(),
        )  # fmt: skip
        try:
            entry = self._entries.get(request)
        except TypeError:
            return self.advise(_hashable(task))
        state, cached = self._state, True
        if (
            entry is None
            or entry.epoch != state.epoch
            or now >= entry.expires
            or state.seen.get(task.type, 0) >= entry.due
        ):
            entry, cached = self._compile(task, request, now), False
        seed = mix_bits(self._identity.seed, number := next(self._numbers))
        probe = entry.probe
        if probe is not None and self._claim(probe.arm.name, now):
            prepared = probe
        else:
            edges, slot, at = entry.edges, seed & 0xFFFFFFFF, 0
            while edges[at] <= slot:
                at += 1
            prepared = entry.prepared[at] or entry.prepare(at)
        return self._give(task, request, entry, prepared, seed, number, now, cached)

    def _give(
        self, task: Task, request: Request, entry: Entry, prepared: Prepared, seed: int, number: int, now: float,
        cached: bool,
    ) -> Advice:  # fmt: skip
        identity, arm = self._identity, prepared.arm
        decision = seal(f"{entry.position:x}-{identity.process}-{number:x}-{prepared.packed}", identity.key)
        self._record(
            AdviceGiven(
                at=now,
                decision=decision,
                position=entry.position,
                compiled_at=entry.compiled_at,
                seed=seed,
                arms_hash=self._arms.hash,
                policy_hash=self._policy_hash,
                environment=identity.environment,
                task_type=task.type,
                arm=arm.name,
                strategy=prepared.strategy,
                propensity=prepared.chance,
                path_hash=prepared.path_hash,
                repo=task.repo,
                session=task.session,
                incumbent=request.incumbent,
                stuck=request.stuck,
                probed=prepared.probed,
                bypassed=entry.bypassed,
                attempt=task.attempt,
                complexity=task.complexity,
                error_type=task.error_type,
                tool=task.tool,
                tokens_in=task.tokens_in,
                files=len(task.files),
                description_bytes=len(task.description or ""),
                required_tools=task.required_tools,
                strengths=task.strengths,
                budget_usd=task.budget_usd,
                deadline_ms=task.deadline_ms,
                candidates=task.candidates,
                override=task.override,
                in_tool_loop=task.in_tool_loop,
            )
        )
        if task.session is not None:
            self._sessions.chose(task.session, arm.name, now)
            self.results.expect(decision, task.session)
        return Advice(
            decision, arm.name, arm.served_by, arm.agent, prepared.strategy, prepared.plan, prepared.score,
            prepared.confidence, prepared.chance, prepared.reasons, entry.warnings, entry.suggestions, entry.risk,
            False, self._policy_hash, entry.position, seed, prepared.path_hash, cached,
        )  # fmt: skip

    def _claim(self, arm: str, now: float) -> bool:
        """Only one call at a time finds out whether a cooled arm is well again."""
        with self._claims:
            if now < self._probing.get(arm, 0.0):
                return False
            self._probing[arm] = now + PROBE_PATIENCE
            return True

    def _compile(self, task: Task, request: Request, now: float) -> Entry:
        check_task(task, self._arms)
        bypassed = self.care.bypassed(now)
        with self._states.still():
            situation = look(self._state, request, self._arms, self._policy, now, self._boards)
            entry = decide(situation, self._strategies, self._states.position, self.care, bypassed)
        if len(self._entries) >= ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._entries[request] = entry
        return entry


def check_task(task: Task, arms: Arms) -> None:
    """Refuse what makes no sense before anything is written; asked once for each kind of task."""
    if task.type is None:
        raise BadInput("a task needs a type")
    for name in ("type", "repo", "session", "error_type", "tool"):
        check_text(f"a task's {name}", getattr(task, name))
    check_number("budget_usd", task.budget_usd)
    check_number("deadline_ms", task.deadline_ms)
    check_number("tokens_in", task.tokens_in)
    if task.candidates is not None and not task.candidates:
        raise BadInput("candidates is empty", cure="leave it out to allow every arm")
    for name in (*(task.candidates or ()), *([task.override] if task.override is not None else [])):
        arms.get(name)


def _hashable(task: Task) -> Task:
    """A task whose lists were given as lists."""
    try:
        return msgspec.convert(msgspec.to_builtins(task), Task, strict=True)
    except msgspec.ValidationError as fault:
        raise BadInput("a task cannot be read", why=str(fault)) from None

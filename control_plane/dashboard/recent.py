"""What happened lately, read once from the log and then kept in step: results, advice, breakers, strategies, steps."""

import threading
from collections import deque
from typing import Final

import msgspec

from ..errors import ControlPlaneError
from ..governance.events import PolicyAdvanced, PolicyPaused, PolicyProposed, PolicyRefused, PolicyRolledBack
from ..ledger.backend import Row
from ..ledger.ledger import Ledger
from ..router.events import AdviceGiven, BreakerMoved, ResultRecorded, StrategyFailed, StrategyRecovered
from ..router.outcomes import truth_of

# Events that are read when the page is first asked for.
BACK: Final = 50_000
# Results, and pieces of advice, that are kept for the figures.
KEPT: Final = 20_000
MOVES: Final = 50
CHUNK: Final = 4_096
_READ: Final = {
    kind.TOPIC
    for kind in (
        AdviceGiven,
        ResultRecorded,
        BreakerMoved,
        StrategyFailed,
        StrategyRecovered,
        PolicyProposed,
        PolicyAdvanced,
        PolicyRolledBack,
        PolicyPaused,
        PolicyRefused,
    )
}


class Result(msgspec.Struct, frozen=True, gc=False):
    position: int
    at: float
    arm: str
    success: bool | None
    latency_ms: float | None
    cost_usd: float | None


class Given(msgspec.Struct, frozen=True, gc=False):
    position: int
    at: float
    arm: str


class Move(msgspec.Struct, frozen=True):
    """A breaker that moved."""

    position: int
    at: float
    subject: str
    before: str
    after: str
    reason: str
    until: float | None


class Bypass(msgspec.Struct, frozen=True):
    position: int
    at: float
    strategy: str
    reason: str
    until: float | None


class Step(msgspec.Struct, frozen=True):
    """What happened to a policy: `did` is the topic's own word."""

    position: int
    at: float
    did: str
    stage: str
    actor: str
    words: str


class Recent:
    """Safe from any thread; `catch_up` is called before each look."""

    def __init__(self, ledger: Ledger) -> None:
        self.position = -1
        self.first = 0
        self.results: dict[str, Result] = {}
        self.given: deque[Given] = deque(maxlen=KEPT)
        self.moves: deque[Move] = deque(maxlen=MOVES)
        self.bypasses: dict[str, Bypass] = {}
        self.steps: dict[str, deque[Step]] = {}
        self.lock = threading.RLock()
        self._ledger = ledger

    def catch_up(self) -> None:
        with self.lock:
            if self.position < 0:
                self.position = max(0, self._ledger.size() - BACK)
                self.first = self.position + 1
            while rows := self._ledger.rows(self.position, CHUNK):
                for row in map(Row._make, rows):
                    if row.topic in _READ:
                        self._fold(row)
                    self.position = row.position

    def _fold(self, row: Row) -> None:
        try:
            event = self._ledger.catalogue.decode(row.topic, row.state)
        except (ControlPlaneError, TypeError, ValueError):
            return  # what cannot be read is `ledger verify`'s to tell; the page goes on
        match event:
            case ResultRecorded():
                self._result(row.position, event)
            case AdviceGiven():
                self.given.append(Given(row.position, event.at, event.arm))
            case BreakerMoved():
                self.moves.append(
                    Move(row.position, event.at, event.subject, event.before, event.after, event.reason, event.until)
                )
            case StrategyFailed():
                self.bypasses[event.strategy] = Bypass(
                    row.position, event.at, event.strategy, event.reason, event.bypassed_until
                )
            case StrategyRecovered():
                self.bypasses.pop(event.strategy, None)
            case _:
                self._step(row.position, event)

    def _result(self, position: int, event: ResultRecorded) -> None:
        """A repeat changes nothing, a correction takes the place of what it corrects."""
        key = f"{event.decision}/{event.step}" if event.decision is not None else f"@{position}"
        known = self.results.get(key)
        at, place = (event.at, position) if known is None else (known.at, known.position)
        truth = truth_of(event.success, event.error)
        self.results[key] = Result(place, at, event.arm, truth, event.latency_ms, event.cost_usd)
        if len(self.results) > KEPT:
            del self.results[next(iter(self.results))]

    def _step(self, position: int, event: object) -> None:
        match event:
            case PolicyProposed():
                told = Step(position, event.at, "proposed", "draft", event.actor, event.reason)
            case PolicyAdvanced():
                told = Step(position, event.at, "advanced", event.after, event.actor, event.reason)
            case PolicyRolledBack():
                told = Step(position, event.at, "rolled back", event.after, event.actor, event.reason)
            case PolicyPaused():
                told = Step(position, event.at, "paused", event.stage, event.actor, event.verdict)
            case PolicyRefused():
                told = Step(position, event.at, "refused", event.to, event.actor, event.verdict)
            case _:
                return
        self.steps.setdefault(event.policy, deque(maxlen=MOVES)).append(told)

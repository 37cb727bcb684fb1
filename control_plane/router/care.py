"""Asks the strategies, counts their failures, and passes over those that keep failing (FG-05)."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from ..clock import Clock
from ..ledger.events import Event
from .asking import Asking
from .events import StrategyFailed, StrategyRecovered
from .health import HealthPolicy, HealthSummary, StrategyHealth, allowed, failed, probe_started, succeeded, summary
from .situation import Situation
from .strategies import STRATEGIES, Strategy


class StrategyCare:
    def __init__(
        self,
        names: Iterable[str],
        record: Callable[[Event], None],
        clock: Clock,
        policy: HealthPolicy,
        *,
        bypass: bool = True,
    ) -> None:
        self._names = tuple(names)
        self.health: dict[str, StrategyHealth] = {}
        self._record, self._clock, self._policy, self._bypass = record, clock, policy, bypass
        self._lock = threading.Lock()
        self._news: deque[Event] = deque()
        self._others = Asking()

    def bypassed(self, now: float) -> tuple[str, ...]:
        """Who is to be passed over; one call in each cooldown is let through to see whether all is well again."""
        if not self.health or not self._bypass:
            return ()
        with self._lock:
            known = [(name, self.health[name]) for name in self._names if name in self.health]
            out = tuple(name for name, health in known if not allowed(health, now, self._policy))
            for _, health in known:
                probe_started(health, now, self._policy)
        return out

    def ask(self, strategy: Strategy, situation: Situation) -> object:
        """Ours are pure and quick; anybody else's answers within its budget or not at all."""
        if strategy in STRATEGIES:
            return strategy.choose(situation)
        return self._others.ask(strategy, situation)

    def failed(self, strategy: str, reason: str) -> None:
        now = self._clock.now()
        with self._lock:
            health = self.health.setdefault(strategy, StrategyHealth())
            failed(health, now, reason, self._policy)
            until = health.bypass_until if health.bypassed and self._bypass else None
        self._news.append(StrategyFailed(at=now, strategy=strategy, reason=reason, bypassed_until=until))

    def answered(self, strategy: str) -> None:
        health = self.health.get(strategy)
        if health is None or health.clean:
            return
        now = self._clock.now()
        with self._lock:
            recovered = succeeded(health, now, self._policy)
        if recovered:
            self._news.append(StrategyRecovered(at=now, strategy=strategy))

    def tell(self) -> None:
        """Record what was noticed; not while the folded state is held, for a record may have to wait for it."""
        while self._news:
            try:
                event = self._news.popleft()
            except IndexError:
                return
            self._record(event)

    def asked_again_at(self, strategies: Sequence[str]) -> float:
        """When the first of those that were passed over may be asked again; at once where it is not bypassed."""
        with self._lock:
            return min(self._again_at(self.health.get(name)) for name in strategies)

    def _again_at(self, health: StrategyHealth | None) -> float:
        if health is None or not health.bypassed or not self._bypass:
            return 0.0
        return max(health.bypass_until, health.probe_until)

    def summary(self) -> HealthSummary:
        every = {name: self.health.get(name, StrategyHealth()) for name in self._names}
        found = summary(every, self._clock.now(), self._policy)
        return found if self._bypass else msgspec.structs.replace(found, active_bypass=0)

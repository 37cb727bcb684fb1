"""Asks the strategies, counts their failures, and passes over those that keep failing (FG-05)."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from ..clock import Clock
from ..ledger.events import Event
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
        self._workers: ThreadPoolExecutor | None = None

    def bypassed(self, now: float) -> tuple[str, ...]:
        """Who is to be passed over; one call in each cooldown is let through to see whether all is well again."""
        if not self.health or not self._bypass:
            return ()
        with self._lock:
            known = [(name, self.health[name]) for name in self._names if name in self.health]
            out = tuple(name for name, health in known if not allowed(health, now))
            for _, health in known:
                probe_started(health, now, self._policy)
        return out

    def ask(self, strategy: Strategy, situation: Situation) -> object:
        """Ours are pure and quick; anybody else's answers within its budget or not at all."""
        if strategy in STRATEGIES:
            return strategy.choose(situation)
        if self._workers is None:
            self._workers = ThreadPoolExecutor(4, thread_name_prefix="control-plane-strategy")
        try:
            return self._workers.submit(strategy.choose, situation).result(strategy.budget_ms / 1000.0)
        except FutureTimeout:
            raise TimeoutError(f"no answer within {strategy.budget_ms:g} ms") from None

    def failed(self, strategy: str, reason: str) -> None:
        now = self._clock.now()
        with self._lock:
            health = self.health.setdefault(strategy, StrategyHealth())
            failed(health, now, reason, self._policy)
            until = health.bypass_until if health.bypassed else None
        self._record(StrategyFailed(at=now, strategy=strategy, reason=reason, bypassed_until=until))

    def answered(self, strategy: str) -> None:
        health = self.health.get(strategy)
        if health is None or health.clean:
            return
        now = self._clock.now()
        with self._lock:
            recovered = succeeded(health, now)
        if recovered:
            self._record(StrategyRecovered(at=now, strategy=strategy))

    def summary(self) -> HealthSummary:
        every = {name: self.health.get(name, StrategyHealth()) for name in self._names}
        return summary(every, self._clock.now(), self._policy)

    def close(self) -> None:
        if self._workers is not None:
            # A strategy that hangs for good must not hold up the end of its host.
            self._workers.shutdown(wait=False, cancel_futures=True)

"""Anybody's strategy, asked in a thread of its own: it answers within its budget or is left behind."""

import threading

import msgspec

from .situation import Situation
from .strategies import Strategy

# Calls of one strategy that may hang at a time; beyond that it is not even asked.
MOST = 8


class Asked(msgspec.Struct):
    """One call under way, and what came of it."""

    done: threading.Event
    answer: object = None
    fault: BaseException | None = None


class Asking:
    """Daemon threads: a strategy that hangs for good must not hold up the end of its host."""

    def __init__(self) -> None:
        self._under_way: dict[str, int] = {}
        self._lock = threading.Lock()

    def ask(self, strategy: Strategy, situation: Situation) -> object:
        self._begin(strategy.name)
        asked = Asked(threading.Event())
        arguments = (strategy, situation, asked)
        threading.Thread(target=self._run, args=arguments, name="control-plane-strategy", daemon=True).start()
        if not asked.done.wait(strategy.budget_ms / 1000.0):
            raise TimeoutError(f"no answer within {strategy.budget_ms:g} ms")
        if asked.fault is not None:
            raise RuntimeError(f"{type(asked.fault).__name__} {asked.fault}") from asked.fault
        return asked.answer

    def _begin(self, name: str) -> None:
        with self._lock:
            if self._under_way.get(name, 0) >= MOST:
                raise TimeoutError(f"{MOST} earlier calls still hang")
            self._under_way[name] = self._under_way.get(name, 0) + 1

    def _run(self, strategy: Strategy, situation: Situation, asked: Asked) -> None:
        try:
            asked.answer = strategy.choose(situation)
        except BaseException as fault:
            asked.fault = fault
        finally:
            with self._lock:
                self._under_way[strategy.name] -= 1
            asked.done.set()

"""The router in figures: what was decided, how it went, who is cooled or bypassed."""

import msgspec

from .breakers import Status
from .care import StrategyCare
from .ejection import cooled
from .health import HealthSummary
from .state import RouterState, Traffic


class Stats(msgspec.Struct, frozen=True):
    decisions: int
    results: int
    repeats: int
    corrections: int
    arms: dict[str, Traffic]
    strategies: dict[str, int]
    strategy_health: HealthSummary
    cooled: list[Status]
    tail_penalties: dict[str, float]
    replay_parity: float | None


def stats_of(state: RouterState, care: StrategyCare, now: float) -> Stats:
    return Stats(
        state.decisions,
        state.results,
        state.repeats,
        state.corrections,
        dict(state.traffic),
        dict(state.strategies),
        care.summary(),
        cooled(state.breakers, now),
        dict(state.penalties),
        None if state.parity is None else state.parity.parity,
    )

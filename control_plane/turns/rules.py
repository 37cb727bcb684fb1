"""The rules of a turn: who chose its model, whether auto stays with a session's model, what a limit says."""

from typing import NamedTuple

from ..errors import BadInput
from .caution import permitted
from .events import Limits
from .state import BAD, GOOD, REVERTED, Session, Spent, Turns

MOST_MOVES = 2
WARN_AT = 0.8
# A cached token is read again for a tenth of its price, where OpenCode does not say what it costs.
CACHED = 0.1
SOURCES = {"person", "stop-checks", "runner", "revert"}
RETRIED = {"rate_limit", "server", "timeout", "connection"}


class UnknownTurn(BadInput):
    """No such turn is known, or no longer."""

    code = "turns.unknown-turn"


class BadVerdict(BadInput):
    """A verdict or source that is not one of those that count."""

    code = "turns.bad-verdict"


class Price(NamedTuple):
    """Dollars a token."""

    read: float = 0.0
    written: float = 0.0
    cached: float | None = None


def candidates(
    state: Turns, session: Session, task_type: str, connected: tuple[str, ...], incumbent: str, *, cautious: bool
) -> tuple[str, ...]:
    """Connected models that auto may choose from now.

    Whoever has just failed in this session is left out while there is anybody else: to ask the same again is no
    better than to ask another, so that here caution has nothing to protect.
    """
    if session.failed in connected and len(connected) > 1:
        return tuple([name for name in connected if name != session.failed])
    if not cautious or incumbent not in connected:
        return connected
    return permitted(state.tallies.get(task_type, {}), connected, incumbent)


def toll(context_tokens: float, new: Price, held: Price) -> float:
    """What a change of model costs now: the context read afresh instead of from the cache."""
    cached = held.cached if held.cached is not None else held.read * CACHED
    return max(0.0, context_tokens * (new.read - cached))


def over(limits: Limits, session: Session, day: Spent, usd: float, requests: int) -> tuple[str, float, float] | None:
    """The limit that one more step of this size would cross: its name, what is spent, what may be."""
    for name, spent, more, most in _limits(limits, session, day, usd, requests):
        if most is not None and (spent + more > most or spent >= most):
            return name, spent, most
    return None


def near(limits: Limits, session: Session, day: Spent) -> tuple[str, float, float] | None:
    """The first limit of which four fifths are spent."""
    for name, spent, _, most in _limits(limits, session, day, 0.0, 0):
        if most is not None and most > 0 and spent >= WARN_AT * most:
            return name, spent, most
    return None


def check_verdict(verdict: str, source: str) -> None:
    if verdict not in (GOOD, BAD, REVERTED):
        raise BadVerdict(f"{verdict!r:.40} is no verdict", why=f"it must be {GOOD}, {BAD} or {REVERTED}")
    if source not in SOURCES:
        raise BadVerdict(f"{source!r:.40} cannot judge a turn", why=f"it must be one of {', '.join(sorted(SOURCES))}")


def may_move(moves: int, error: str, *, effects: bool) -> str:
    """Why a turn stays with its model after a failure; empty when it may go on with another."""
    if error not in RETRIED:
        return f"another model would fail alike: {error}"
    if moves >= MOST_MOVES:
        return f"it has moved {MOST_MOVES} times already"
    if effects:
        return "tools have changed things in this turn; ask again to go on with another model"
    return ""


def _limits(
    limits: Limits, session: Session, day: Spent, usd: float, requests: int
) -> tuple[tuple[str, float, float, float | None], ...]:
    return (
        ("session_usd", session.spent_usd, usd, limits.session_usd),
        ("day_usd", day.usd, usd, limits.day_usd),
        ("session_requests", session.requests, requests, limits.session_requests),
        ("day_requests", day.requests, requests, limits.day_requests),
    )

"""Bars of OpenCode's turns: where a turn may go after a failure, what a limit lets start, what a sample may say."""

from collections.abc import Callable
from functools import partial
from typing import Any

from control_plane.redacting import redacted
from control_plane.turns import rules
from control_plane.turns.events import Limits
from control_plane.turns.state import Session, Spent
from tests.bars.frame import Bar

MayMove = Callable[..., str]
Over = Callable[..., Any]
Redact = Callable[[str], str]
HOME = "/" + "home/"
PROMPT = f"fix the parser in {HOME}ann/w, token=abc, key sk-abcdefghij0123456789, `import os`, mail ann@example.org"


def check_a_turn_moves_twice_at_most_and_never_after_effects(may_move: MayMove) -> None:
    for error in rules.RETRIED:
        assert [may_move(moves, error, effects=False) == "" for moves in range(4)] == [True, True, False, False]
        assert may_move(0, error, effects=True)
    for error in ("caller", "cancelled"):
        assert may_move(0, error, effects=False)


def check_the_step_that_would_cross_a_limit_does_not_start(over: Over) -> None:
    limits = Limits(session_usd=1.0, day_requests=3)

    def crossed(spent: float, requests: int, usd: float, more: int) -> str | None:
        found = over(limits, Session(spent_usd=spent), Spent(0.0, requests), usd, more)
        return found[0] if found else None

    assert crossed(0.8, 0, 0.2, 1) is None
    assert crossed(0.8, 0, 0.21, 0) == "session_usd"
    assert crossed(1.0, 0, 0.0, 0) == "session_usd"
    assert crossed(0.0, 2, 0.0, 1) is None
    assert crossed(0.0, 3, 0.0, 1) == "day_requests"


def check_a_sample_says_what_is_asked_and_no_secret(redact: Redact) -> None:
    told = redact(PROMPT)
    assert "fix the parser in" in told
    for secret in ("abc", "sk-", "import os", "ann", "example.org"):
        assert secret not in told, secret


def forgets_effects(moves: int, error: str, *, effects: bool) -> str:
    del effects
    return rules.may_move(moves, error, effects=False)


def counts_one_more(moves: int, error: str, *, effects: bool) -> str:
    return rules.may_move(max(0, moves - 1), error, effects=effects)


def looks_at_what_is_spent_only(limits: Limits, session: Session, day: Spent, usd: float, requests: int) -> Any:
    del usd, requests
    return rules.over(limits, session, day, 0.0, 0)


def without(rule: int, text: str) -> str:
    from control_plane import redacting

    for place, (instead, pattern) in enumerate(redacting._RULES):
        text = text if place == rule else pattern.sub(instead, text)
    return text


BARS = [
    Bar(
        check_a_turn_moves_twice_at_most_and_never_after_effects,
        real=lambda _: rules.may_move,
        null=lambda _: lambda *_, **__: "",
        planted={"forgets effects": lambda _: forgets_effects, "moves a third time": lambda _: counts_one_more},
    ),
    Bar(
        check_the_step_that_would_cross_a_limit_does_not_start,
        real=lambda _: rules.over,
        null=lambda _: lambda *_: None,
        planted={"looks at what is spent only": lambda _: looks_at_what_is_spent_only},
    ),
    Bar(
        check_a_sample_says_what_is_asked_and_no_secret,
        real=lambda _: redacted,
        null=lambda _: lambda _text: "",
        planted={
            "leaves the text as it is": lambda _: lambda text: text,
            "leaves code": lambda _: partial(without, 1),
            "leaves names of users": lambda _: partial(without, 8),
        },
    ),
]

"""Bars of the guardrails: who may be promoted, what a hook's end means, when a session is let go, who gets past."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from control_plane.guardrails import events as e
from control_plane.guardrails.deciding import Modes, Past, Verdict, decide
from control_plane.guardrails.matching import Matcher, matcher_of, with_own
from control_plane.guardrails.rulefile import read_rules
from control_plane.guardrails.rules import MOST_ROUNDS, answer_stop
from control_plane.guardrails.state import State, fold
from control_plane.guardrails.statistics import upper_bound
from control_plane.guardrails.terms import Decision, Mode
from tests.bars.frame import Bar
from tests.guardrails.client import Ended, Outcome, read_outcome
from tests.guardrails.ground import RULES, Judge, lay_out

Bound = Callable[[int, int], float]
Read = Callable[..., Outcome]
Answer = Callable[[State, str, str, float], e.StopAnswered]
Decide = Callable[[Matcher, Modes, Past, e.Observation, float], Verdict]

DB = "src/db/client.ts"
ATTEMPTS = (
    f"echo x > {DB}", f"echo x | tee {DB}", f"bash -c 'echo x > {DB}'", f"sed -i s/1/2/ {DB}", "sh evil.sh",
    f"python3 -c \"open('{DB}', 'w')\"", "cat > innocent.ts < notes.txt", "git apply fix.patch", "echo x > SRC/DB/a.ts",
)  # fmt: skip


def check_a_promotion_takes_59_clean_labels(bound: Bound) -> None:
    assert bound(0, 58) > 0.05 >= bound(0, 59)
    assert bound(1, 92) > 0.05 >= bound(1, 93)
    assert bound(0, 2) > 0.7


def check_no_end_of_a_hook_is_silent(read: Read) -> None:
    yes = json.dumps({"hookSpecificOutput": {"permissionDecision": "allow"}}).encode()
    ends = [Ended(code, yes) for code in (1, 126, 127, 255)]
    ends += [Ended(None, yes, signal=9), Ended(None, yes, timed_out=True), Ended(0, b'{"x"'), Ended(0, b"\xff")]
    for end in ends:
        assert read("PreToolUse", end).error
        assert read("PreToolUse", end, on_error="block").decision == "deny"
    assert read("PreToolUse", Ended(2, yes, b"no")).decision == "deny"
    assert read("PreToolUse", Ended(0, yes)) == Outcome("allow")


def check_a_session_is_let_go_after_three_rounds_for_one_cause(answer: Answer) -> None:
    state, told = State(), []
    for cause in ("a", "a", "a", "b", "a", "a", "b"):
        event = answer(state, "s", cause, 1.0)
        fold(state, event)
        told.append(event.blocked)
    assert told == [True, True, True, True, False, False, True]
    assert answer(state, "t", "a", 1.0).blocked


def check_a_decision_follows_from_what_was_recorded(decide: Decide) -> None:
    matcher = matcher_of(with_own(read_rules(json.dumps(RULES).encode())))
    for number in range(50):
        seen = e.Observation(event="PreToolUse", session="s", targets=(e.Target(f"src/db/{number}.ts"),))
        once, again = (decide(matcher, Modes(told=Mode.ENFORCE), Past(), seen, 1.0) for _ in range(2))
        assert msgspec.json.encode(once) == msgspec.json.encode(again)
        assert once.live is Decision.BLOCK


def check_a_marker_of_ones_own_is_no_skip(decide: Decide) -> None:
    matcher = matcher_of(with_own(read_rules(json.dumps(RULES).encode())))
    marked = e.Target(DB, markers=("@skip-validation",))
    seen = e.Observation(event="PreToolUse", session="s", targets=(marked,))
    own = Past(forged=frozenset({f"{DB}\n@skip-validation"}))
    assert decide(matcher, Modes(told=Mode.ENFORCE), own, seen, 1.0).live is Decision.BLOCK
    assert decide(matcher, Modes(told=Mode.ENFORCE), Past(), seen, 1.0).live is Decision.ALLOW


def check_a_shell_is_no_way_round(judge: Callable[[str], bool]) -> None:
    assert [command for command in ATTEMPTS if not judge(command)] == []
    assert not judge("npm test > notes.txt")


def real_judge(folder: Path) -> Callable[[str], bool]:
    judge = Judge(lay_out(folder / "project"))
    return lambda command: judge("Bash", command=command).live is Decision.BLOCK


def naive_rate(false: int, labels: int) -> float:
    """What the labels show, as if there were no others to come."""
    return false / labels


def trusting(event: str, ended: Ended, **options: Any) -> Outcome:
    """Reads stdout whatever the exit code was."""
    return read_outcome(event, ended._replace(exit=0, signal=None, timed_out=False), **options)


def by_session(state: State, session: str, cause: str, now: float) -> e.StopAnswered:
    """Forgets which cause it was."""
    return answer_stop(state, session, "any", now)


def for_ever(state: State, session: str, cause: str, now: float) -> e.StopAnswered:
    return msgspec.structs.replace(answer_stop(state, session, cause, now), blocked=True)


def at_random(matcher: Matcher, modes: Modes, past: Past, seen: e.Observation, now: float) -> Verdict:
    """Samples one call in two, with no seed."""
    return decide(matcher, modes if random.random() < 0.5 else Modes(told=Mode.SHADOW), past, seen, now)


def forgetful(matcher: Matcher, modes: Modes, past: Past, seen: e.Observation, now: float) -> Verdict:
    """Does not remember who wrote a marker."""
    return decide(matcher, modes, past._replace(forged=frozenset()), seen, now)


def allow_all(matcher: Matcher, modes: Modes, past: Past, seen: e.Observation, now: float) -> Verdict:
    return Verdict((), Decision.ALLOW, Decision.ALLOW, "")


BARS = [
    Bar(
        check_a_promotion_takes_59_clean_labels,
        real=lambda _: upper_bound,
        null=lambda _: lambda false, labels: 1.0,
        planted={"the rate that was seen": lambda _: naive_rate},
    ),
    Bar(
        check_no_end_of_a_hook_is_silent,
        real=lambda _: read_outcome,
        null=lambda _: lambda event, ended, **_: Outcome("allow"),
        planted={"reads stdout whatever the end": lambda _: trusting},
    ),
    Bar(
        check_a_session_is_let_go_after_three_rounds_for_one_cause,
        real=lambda _: answer_stop,
        null=lambda _: (
            lambda state, session, cause, now: e.StopAnswered(
                session=session, cause=cause, blocked=False, round=MOST_ROUNDS, at=now
            )
        ),
        planted={"counts the session's": lambda _: by_session, "for ever": lambda _: for_ever},
    ),
    Bar(
        check_a_decision_follows_from_what_was_recorded,
        real=lambda _: decide,
        null=lambda _: allow_all,
        planted={"samples": lambda _: at_random},
    ),
    Bar(
        check_a_marker_of_ones_own_is_no_skip,
        real=lambda _: decide,
        null=lambda _: allow_all,
        planted={"forgets who wrote it": lambda _: forgetful},
    ),
    Bar(
        check_a_shell_is_no_way_round,
        real=real_judge,
        null=lambda _: lambda command: False,
        planted={"looks for the name in the command": lambda _: lambda command: DB in command},
    ),
]

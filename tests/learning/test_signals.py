"""What the events of sessions show."""

from typing import Any

import pytest

from control_plane.learning.record import read
from control_plane.learning.signals import Happened, Signal, detect
from control_plane.learning.signing import payload_of


def session(*events: dict[str, Any], name: str = "s-1", start: float = 1000.0, pace: float = 10.0) -> list[Happened]:
    return [Happened(**{"at": start + pace * number, "session": name, **event}) for number, event in enumerate(events)]


def edit(place: str = "a.py", **about: Any) -> dict[str, Any]:
    return {"kind": "edit", "place": place, **about}


def error(error_type: str = "TypeError", **about: Any) -> dict[str, Any]:
    return {"kind": "error", "error_type": error_type, **about}


def run(ok: bool, command: str = "pytest", **about: Any) -> dict[str, Any]:
    return {"kind": "command", "command": command, "ok": ok, **about}


def end(ok: bool = True) -> dict[str, Any]:
    return {"kind": "end", "ok": ok}


def found(*events: dict[str, Any], **told: Any) -> dict[str, str]:
    return {signal.pattern: signal.severity for signal in detect(session(*events, **told))}


@pytest.mark.requirement("GOV-05")
@pytest.mark.parametrize(
    ("pattern", "below", "above", "severity"),
    [
        ("shotgun_debug", [edit()] * 3, [edit()] * 4, "medium"),
        ("shotgun_debug", [edit("a.py")] * 3 + [edit("b.py")] * 3, [edit()] * 7, "high"),
        ("inefficient_solution", [edit(tokens=500, lines_added=1)], [edit(tokens=501, lines_added=1)], "medium"),
        ("broken_state", [error()] * 2, [error()] * 3, "high"),
        ("broken_state", [error()] * 2 + [run(True)] + [error()] * 2, [error()] * 5, "critical"),
        ("wrong_tool", [run(False)] * 2 + [run(False, "make")], [run(False)] * 3, "medium"),
        ("type_suppression", [edit()], [edit(suppressions=1)], "high"),
        ("quota_exhaustion_risk", [{"kind": "quota", "used": 0.85}], [{"kind": "quota", "used": 0.86}], "high"),
        ("quota_exhaustion_risk", [{"kind": "quota", "used": 0.5}], [{"kind": "quota", "used": 0.96}], "critical"),
        ("failed_debug", [error(), edit(), edit(), end(False)], [error(), *[edit()] * 3, end(False)], "high"),
    ],
)
def test_an_anti_pattern_begins_above_its_threshold(pattern: str, below: list, above: list, severity: str):
    assert pattern not in found(*below)
    assert found(*above)[pattern] == severity


@pytest.mark.requirement("GOV-05")
def test_one_error_over_sessions_is_a_repeated_mistake():
    sessions = [session(error("E7"), name=f"s-{number}") for number in range(3)]
    assert not [signal for signal in detect(sessions[0] * 5) if signal.pattern == "repeated_mistake"]
    for many, severity in ((2, "high"), (3, "critical")):
        signals = detect([event for one in sessions[:many] for event in one])
        (signal,) = [signal for signal in signals if signal.pattern == "repeated_mistake"]
        assert (signal.severity, signal.error_type) == (severity, "E7")


@pytest.mark.requirement("GOV-06")
@pytest.mark.parametrize(
    ("pattern", "shown", "not_shown"),
    [
        ("efficient_debug", [error(), edit(), end()], [error(), *[edit()] * 3, end()]),
        ("efficient_debug", [error(), edit(), edit(), end()], [error(), edit(), end(False)]),
        (
            "creative_solution",
            [*[run(False, tool="sed")] * 2, run(True, "mv", tool="git"), end()],
            [*[run(False, tool="sed")] * 2, run(True, "mv", tool="sed"), end()],
        ),
        (
            "good_delegation",
            [{"kind": "delegation", "ok": True}, end()],
            [{"kind": "delegation", "ok": True}, {"kind": "delegation", "ok": False}, end()],
        ),
        (
            "clean_refactor",
            [edit("a.py", lines_removed=9), edit("b.py", lines_added=5), end()],
            [edit("a.py", lines_removed=4), edit("b.py", lines_added=5), end()],
        ),
        ("fast_resolution", [edit(), run(True), end()], [edit(), run(False), run(True), end()]),
    ],
)
def test_a_positive_pattern_is_seen_where_it_is_and_nowhere_else(pattern: str, shown: list, not_shown: list):
    assert pattern in found(*shown)
    assert pattern not in found(*not_shown)


def test_what_takes_long_is_not_fast():
    assert "fast_resolution" not in found(edit(), end(), pace=301.0)


def test_order_of_arrival_does_not_matter():
    events = session(*[error()] * 5, end(False)) + session(edit(), end(), name="s-2", start=1001.0)
    assert detect(events) == detect(reversed(events))
    assert detect([]) == []


@pytest.mark.requirement("GOV-05", "GOV-06")
def test_a_signal_is_the_predicate_of_a_record():
    for signal in detect(session(*[error()] * 5, end(False))) + detect(session(edit(), end())):
        assert isinstance(signal, Signal)
        reading = read(payload_of(signal.predicate("code.fix", "trace-1")), signed=True)
        assert getattr(reading, "plain", reading) is True

"""Patterns merge, fade and become advice; a run of successes that is too good counts for nothing."""

import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane import ControlPlane
from control_plane.learning.events import GamingSuspected, PatternPinned, RecordAccepted
from control_plane.learning.gaming import Run, judge
from control_plane.learning.patterns import DAY, HEAVIEST, Pattern, decay, merge, strength
from control_plane.learning.risk import NOTHING, Lesson, RiskPolicy, lesson
from control_plane.learning.signing import sign
from control_plane.learning.state import LearningState, fold
from control_plane.proving import HandClock
from control_plane.proving.forging import Forge

NOW = 1_800_000_000.0
_numbers = iter(range(1_000_000))


def accepted(pattern: str | None = "wrong_tool", at: float = NOW, **about: Any) -> RecordAccepted:
    usual = {"kind": "anti-pattern", "task_type": "code.fix", "severity": "medium", "trace_id": "t", "key_id": "agent"}
    return RecordAccepted(at=at, digest=f"{next(_numbers):032x}", ts=at, pattern=pattern, **(usual | about))


def learned(*events: RecordAccepted) -> LearningState:
    state = LearningState()
    for event in events:
        fold(state, event)
    return state


def only(state: LearningState, task_type: str = "code.fix") -> Pattern:
    (pattern,) = state.tasks[task_type].values()
    return pattern


@pytest.mark.requirement("GOV-07")
def test_similar_records_merge_and_gain_half_their_weight_up_to_a_cap():
    state = learned(accepted(), accepted(severity="high"))
    assert (only(state).occurrences, only(state).weight, only(state).severity) == (2, 4.0 + 3.5, "high")
    for _ in range(100):
        fold(state, accepted(severity="critical"))
    assert (only(state).weight, only(state).severity) == (HEAVIEST, "critical")


@pytest.mark.parametrize(
    "differs", [{"tool": "bash"}, {"repo": "acme/shop"}, {"error_type": "E1"}, {"arm": "acme/one"}]
)
def test_what_differs_does_not_merge(differs: dict[str, str]):
    assert len(learned(accepted(), accepted(**differs)).tasks["code.fix"]) == 2


@pytest.mark.requirement("GOV-08")
def test_patterns_fade_as_they_age_and_never_quite():
    assert [decay(days * DAY) for days in (0, 7)] == [1.0, 1.0]
    assert [decay(days * DAY) for days in (30, 120, 4000)] == pytest.approx([0.3, 0.1, 0.1])


@given(first=st.floats(0, 1e9), later=st.floats(0, 1e9))
def test_age_never_makes_stronger(first: float, later: float):
    assert decay(min(first, later)) >= decay(max(first, later)) >= 0.1


@pytest.mark.requirement("GOV-08")
def test_time_is_what_was_recorded_so_old_news_is_weak_from_the_start():
    fresh, old = learned(accepted()), learned(accepted(at=NOW - 30 * DAY))
    assert strength(only(old), NOW) == pytest.approx(0.3 * strength(only(fresh), NOW))


def test_a_rule_of_the_house_does_not_fade():
    state = learned(accepted())
    fold(state, PatternPinned(at=NOW, task_type="code.fix", pattern="wrong_tool", core=True, actor="me"))
    fold(state, accepted(tool="bash"))
    assert [strength(pattern, NOW + 999 * DAY) for pattern in state.tasks["code.fix"].values()] == [4.0, 4.0]
    fold(state, PatternPinned(at=NOW, task_type="code.fix", pattern="wrong_tool", core=False, actor="me"))
    assert strength(next(iter(state.tasks["code.fix"].values())), NOW + 999 * DAY) == pytest.approx(0.4)


@pytest.mark.requirement("GOV-09")
@pytest.mark.parametrize(
    ("record", "task", "risk"),
    [
        ({"pattern": "shotgun_debug"}, {"attempt": 2}, 0.0),
        ({"pattern": "shotgun_debug"}, {"attempt": 3}, 12.0),
        ({"pattern": "repeated_mistake", "error_type": "E1"}, {"error_type": "E1"}, 16.0),
        ({"pattern": "repeated_mistake", "error_type": "E1"}, {"error_type": "E2"}, 0.0),
        ({"pattern": "failed_debug", "error_type": "E1"}, {}, 4.0),
        ({"pattern": "wrong_tool", "tool": "bash"}, {"tool": "bash"}, 8.0),
        ({"pattern": "wrong_tool", "tool": "bash"}, {"tool": "web"}, 0.0),
        ({"pattern": "type_suppression"}, {}, 20.0),
        ({"pattern": "broken_state", "place": "src/a.py"}, {"place": "src/a.py"}, 8.0),
        ({"pattern": "inefficient_solution"}, {}, 6.0),
        ({"pattern": "wrong_tool", "repo": "acme/shop"}, {"repo": "acme/till"}, 0.0),
    ],
)
def test_risk_depends_on_what_the_pattern_has_to_do_with_the_task(record: dict, task: dict, risk: float):
    assert lesson(learned(accepted(**record)), "code.fix", NOW, **task).risk_score == risk


@pytest.mark.requirement("GOV-09")
def test_more_risk_warns_then_pauses_then_overrides():
    state, seen = LearningState(), []
    for _ in range(6):
        fold(state, accepted("inefficient_solution", severity="low"))
        found = lesson(state, "code.fix", NOW)
        seen.append((found.risk_score, bool(found.warnings), found.should_pause, found.overrides))
    assert [risk for risk, *_ in seen] == sorted(risk for risk, *_ in seen)
    for risk, *told in seen:
        assert told == [risk > 5.0, risk > 15.0, risk > 20.0]
    assert seen[0][1:] == (False, False, False)
    assert seen[-1][1:] == (True, True, True)
    assert "inefficient_solution was seen 6 times in code.fix" in lesson(state, "code.fix", NOW).warnings[0]


def test_the_ten_strongest_count():
    state = learned(*[accepted(tool=f"tool-{number}") for number in range(40)])
    assert lesson(state, "code.fix", NOW).risk_score == 40.0


def test_the_pause_can_be_set_within_bounds():
    state = learned(accepted("type_suppression"))
    assert not lesson(state, "code.fix", NOW, policy=RiskPolicy(pause_above=50.0)).should_pause
    with pytest.raises(ValueError, match="5 to 50"):
        RiskPolicy(pause_above=51.0)


@pytest.mark.requirement("GOV-09")
def test_a_quota_nearly_used_pauses():
    state = learned(accepted("quota_exhaustion_risk", severity="info", quota=0.9))
    found = lesson(state, "code.fix", NOW)
    assert (found.should_pause, found.warnings) == (True, ("90% of the quota is used",))
    assert not lesson(state, "code.fix", NOW + 7200.0).should_pause, "an hour later nobody knows"
    assert lesson(LearningState(), "code.fix", NOW, quota=0.86).should_pause
    assert not lesson(LearningState(), "code.fix", NOW, quota=0.85).should_pause


@pytest.mark.requirement("GOV-09")
def test_an_arm_loses_trust_by_what_it_did_and_regains_it():
    state = learned(accepted("failed_debug", arm="acme/one", severity="critical"))
    penalty = lesson(state, "code.fix", NOW).arm_penalties["acme/one"]
    assert 0.0 < penalty < 0.5
    for _ in range(2):
        fold(
            state, accepted("efficient_debug", kind="positive-pattern", arm="acme/one", severity="high", error_type="E")
        )
    found = lesson(state, "code.fix", NOW)
    assert found.arm_penalties.get("acme/one", 0.0) < penalty
    assert found.suggestions == ("find the cause first, then make one change (with acme/one)",)


def test_nothing_known_is_nothing_said_and_costs_next_to_nothing():
    state = learned(accepted())
    assert lesson(state, "code.other", NOW) is NOTHING == Lesson()
    quickest = min(timeit.repeat(lambda: lesson(state, "code.other", NOW), number=1000, repeat=5)) / 1000
    assert quickest < 200e-6, "the bar is 20 µs; this is ten times that, for a busy machine"


def test_memory_is_bounded_and_the_faintest_goes_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("control_plane.learning.state.MOST_PATTERNS", 80)
    state = learned(*[accepted(at=NOW - 90 * DAY + number, tool=f"old-{number}") for number in range(40)])
    for number in range(60):
        fold(state, accepted(tool=f"new-{number}", severity="high"))
    tools = {pattern.tool for pattern in state.tasks["code.fix"].values()}
    assert state.patterns == len(state.tasks["code.fix"]) <= 80
    assert {f"new-{number}" for number in range(60)} <= tools


def claim(at: float = NOW, **about: Any) -> RecordAccepted:
    return accepted("fast_resolution", at=at, **{"kind": "positive-pattern", **about})


@pytest.mark.requirement("GOV-10")
@pytest.mark.parametrize(
    ("claims", "verdicts"),
    [
        ([{}, {}, {}], ["allow", "allow", "review"]),
        ([{"tool": f"t{n}", "lines_changed": 1} for n in range(5)], ["allow"] * 4 + ["block"]),
        ([{"error_type": f"e{n}", "metric": 0.96} for n in range(5)], ["allow"] * 4 + ["review"]),
        ([{"error_type": f"e{n}", "metric": 0.95} for n in range(9)], ["allow"] * 9),
        ([{"error_type": f"e{n}", "tool": "bash"} for n in range(5)], ["allow"] * 4 + ["review"]),
        ([{"error_type": f"e{n}", "tool": f"t{n % 2}"} for n in range(9)], ["allow"] * 9),
    ],
)
def test_successes_that_are_too_good_are_reviewed_or_blocked(claims: list[dict], verdicts: list[str]):
    run = Run()
    assert [judge(run, claim(**about))[0] for about in claims] == verdicts
    assert judge(Run(), claim())[0] == "allow"


@pytest.mark.requirement("GOV-10")
def test_ten_minutes_later_it_is_forgotten():
    run = Run()
    for _ in range(5):
        judge(run, claim())
    assert judge(run, claim(at=NOW + 601.0)) == ("allow", ())
    assert (len(run.claims), sum(run.same.values())) == (1, 1)


@pytest.mark.requirement("GOV-10")
def test_what_is_suspected_counts_for_nothing_and_is_told_once(plane: ControlPlane, forge: Forge, clock: HandClock):
    about = {"kind": "positive-pattern", "pattern": "fast_resolution", "task_type": "code.fix", "lines_changed": 0}
    plane.learning.ingest([sign(forge.predicate(**about), forge.honest) for _ in range(20)])
    assert only(plane.learning.state).occurrences == 2
    told = [found.event for found in plane.ledger.read(0, 1000) if isinstance(found.event, GamingSuspected)]
    assert [event.verdict for event in told] == ["review", "block"]
    assert plane.learning.counts().verdicts == {"allow": 2, "review": 2, "block": 16}
    assert plane.learning.state.untold == []


def test_a_record_that_names_no_arm_speaks_of_the_arm_of_its_session(plane: ControlPlane, forge: Forge):
    from control_plane import Task

    advice = plane.advise(Task(type="code.fix", session="s-1"))
    plane.flush()
    about = {"kind": "anti-pattern", "pattern": "failed_debug", "task_type": "code.fix", "session": "s-1"}
    plane.learn(sign(forge.predicate(**about), forge.honest))
    assert only(plane.learning.state).arm == advice.arm
    assert advice.arm in plane.learning.lesson("code.fix").arm_penalties


def test_merging_keeps_the_newest_time_whatever_the_order():
    pattern = Pattern("wrong_tool", 4.0, "medium", NOW)
    merge(pattern, "low", NOW - 50.0, 0.5)
    assert (pattern.last, pattern.quota, pattern.severity) == (NOW, 0.0, "medium")

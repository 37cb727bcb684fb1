"""Milestones: P0 stays green and fresh, or nothing behind it moves on; red evidence rolls back and freezes by event."""

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane import ControlPlane
from control_plane.evidence import write
from control_plane.evidence.events import EvidenceRecorded
from control_plane.flags import read_flags
from control_plane.flags.milestones import BRAKES, MILESTONES
from control_plane.governance.flag_events import FlagFlipped
from control_plane.governance.milestone_events import MilestoneRolledBack, MilestoneThawed
from control_plane.governance.milestone_service import rows
from control_plane.governance.milestones import (
    FRESH_S,
    EvidenceNotReady,
    MilestoneFrozen,
    MilestoneState,
    fold,
    frozen,
    may_flip,
    may_go_strict,
    react,
    refuse,
    standing,
)
from tests.evidence.samples import sample

NOW = 1_800_000_000.0
P0, P1, P2 = (milestone.items for milestone in MILESTONES[1:])


def recorded(item: str, result: str, at: float = NOW) -> EvidenceRecorded:
    return EvidenceRecorded(
        at=at, item=item, result="green" if result == "green" else "red", digest=f"{item}-{result}-{at}",
        measured_at=at, file="f", command="c", switch="s", key="k",
    )  # fmt: skip


def state_of(*events: EvidenceRecorded) -> MilestoneState:
    state = MilestoneState()
    for event in events:
        fold(state, event)
    return state


def all_green(at: float = NOW) -> MilestoneState:
    return state_of(*(recorded(item, "green", at) for item in P0))


@pytest.mark.requirement("GOV-39", "FG-POLICY-1")
@pytest.mark.parametrize("item", P2)
@pytest.mark.parametrize("faulty", P0)
@pytest.mark.parametrize("fault", ["missing", "red", "stale"])
def test_a_p2_item_goes_strict_only_while_every_p0_item_is_green_and_fresh(item: str, faulty: str, fault: str) -> None:
    assert may_go_strict(all_green(), item, NOW).allowed
    state = all_green(NOW + FRESH_S)
    if fault == "missing":
        del state.evidence[faulty]
    else:
        fault_at = NOW + FRESH_S if fault == "red" else NOW
        result = "red" if fault == "red" else "green"
        state.evidence[faulty] = msgspec.structs.replace(state.evidence[faulty], result=result, measured_at=fault_at)
    answer = may_go_strict(state, item, NOW + FRESH_S + 1)
    assert (answer.allowed, answer.blocking) == (False, {faulty: fault})
    assert answer.reason == ("frozen" if fault == "red" else "evidence")


def test_freshness_ends_to_the_second() -> None:
    state = all_green()
    assert standing(state, "FG-01", NOW + FRESH_S) == "green"
    assert standing(state, "FG-01", NOW + FRESH_S + 1) == "stale"
    assert standing(state, "FG-01", NOW + 61, fresh_s=60) == "stale"


def test_p1_waits_for_no_evidence_but_not_through_a_freeze() -> None:
    assert may_go_strict(MilestoneState(), "FG-07", NOW).allowed
    answer = may_go_strict(state_of(recorded("FG-02", "red")), "FG-07", NOW)
    assert (answer.reason, answer.blocking) == ("frozen", {"FG-02": "red"})
    # What is upstream, and its own milestone's other items, go on.
    assert may_go_strict(state_of(recorded("FG-02", "red")), "FG-01", NOW).allowed
    assert not may_go_strict(state_of(recorded("FG-02", "red")), "FG-02", NOW).allowed
    assert may_go_strict(MilestoneState(), "FG-77", NOW).reason == "unknown-item"


def test_a_brake_may_always_be_pulled_and_going_on_is_asked_for() -> None:
    red = state_of(recorded("FG-01", "red"))
    for item, brake in BRAKES.items():
        assert may_flip(red, brake.flag, brake.value, NOW).allowed, item
    for milestone in MILESTONES:
        assert may_flip(red, milestone.switch, "false", NOW).allowed
    for name, value in {
        "OPENCODE_SIM_GATE": "true",
        "OPENCODE_TAIL_SLO": None,
        "OPENCODE_ROUTER_BUFFERED_STATS": "true",
        "OPENCODE_MILESTONE_M1": "true",
        "OPENCODE_MILESTONE_M2": None,
        "OPENCODE_MILESTONE_M3": "on",
    }.items():
        assert may_flip(red, name, value, NOW).reason == "frozen", name
        assert may_flip(all_green(), name, value, NOW).allowed, name
    assert may_flip(red, "OPENCODE_MILESTONE_M0", "true", NOW).allowed
    assert may_flip(red, "OPENCODE_STOP_MAX_COMMANDS", "3", NOW).allowed
    signing = "OPENCODE_LEARNING_SIGNING_MODE"
    bad = state_of(recorded("FG-04", "red"))
    assert may_flip(bad, signing, "off", NOW).allowed
    assert not may_flip(bad, signing, "strict", NOW).allowed
    assert not may_flip(bad, signing, None, NOW).allowed


def test_a_ledger_that_never_measured_p0_is_not_held_to_the_plan_by_its_flags() -> None:
    assert may_flip(state_of(recorded("FG-05", "red")), "OPENCODE_SIM_GATE", "true", NOW).allowed
    answer = may_flip(state_of(recorded("FG-01", "green")), "OPENCODE_SIM_GATE", "true", NOW)
    assert answer.blocking == dict.fromkeys(P0[1:], "missing")


@pytest.mark.requirement("GOV-40", "GOV-41", "FG-RISK-4", "FG-RISK-5")
@pytest.mark.parametrize("item", P0)
def test_red_p0_evidence_flips_its_flag_and_its_milestone_and_freezes_what_is_downstream(item: str) -> None:
    state = all_green()
    assert react(state, NOW) == []
    fold(state, recorded(item, "red", NOW + 1))
    events = react(state, NOW + 2)
    rolled = events[0]
    assert isinstance(rolled, MilestoneRolledBack)
    assert (rolled.milestone, rolled.item, rolled.frozen) == ("M1", item, ("M2", "M3"))
    flips = {event.name: event.value for event in events if isinstance(event, FlagFlipped)}
    assert flips == {BRAKES[item].flag: BRAKES[item].value, "OPENCODE_MILESTONE_M1": "false"}
    assert rolled.flipped == tuple(flips)
    read_flags({}, {name: value for name, value in flips.items() if value})
    for event in events:
        fold(state, event)
    assert react(state, NOW + 3) == []
    assert frozen(state) == ("M2", "M3")
    assert {row.milestone for row in rows(state, NOW) if row.frozen} == {"M2", "M3"}


def test_the_freeze_ends_by_event_when_all_that_was_red_is_green_again() -> None:
    state = state_of(recorded("FG-01", "red"), recorded("FG-03", "red"))
    for event in react(state, NOW):
        fold(state, event)
    assert set(state.regressed) == {"FG-01", "FG-03"}
    fold(state, recorded("FG-01", "green", NOW + 1))
    assert react(state, NOW + 1) == []
    assert frozen(state)
    fold(state, recorded("FG-03", "green", NOW + 2))
    assert frozen(state), "green evidence alone thaws nothing: the event does"
    (thawed,) = react(state, NOW + 2)
    assert isinstance(thawed, MilestoneThawed)
    assert (thawed.items, thawed.thawed) == (("FG-01", "FG-03"), ("M2", "M3"))
    fold(state, thawed)
    assert (frozen(state), state.regressed, react(state, NOW + 3)) == ((), {}, [])


def test_red_evidence_of_p1_and_p2_rolls_nothing_back() -> None:
    assert react(state_of(*(recorded(item, "red") for item in (*P1, *P2, "M0"))), NOW) == []


def test_a_refusal_names_what_stands_in_the_way() -> None:
    with pytest.raises(MilestoneFrozen, match="FG-02 is red") as held:
        refuse(may_go_strict(state_of(recorded("FG-02", "red")), "FG-12", NOW), "FG-12")
    assert held.value.code == "milestone.frozen"
    with pytest.raises(EvidenceNotReady, match="FG-01 is missing, FG-02 is missing"):
        refuse(may_go_strict(MilestoneState(), "FG-12", NOW), "FG-12")
    with pytest.raises(EvidenceNotReady, match="no item of the plan"):
        refuse(may_go_strict(MilestoneState(), "FG-99", NOW), "FG-99")


ITEMS = st.sampled_from([*P0, "FG-05", "FG-12"])


@given(st.lists(st.tuples(ITEMS, st.sampled_from(["green", "red"]), st.booleans()), max_size=25))
@settings(max_examples=200, deadline=None)
def test_whatever_is_recorded_a_small_model_agrees(course: list[tuple[str, str, bool]]) -> None:
    """The model: what was rolled back stays so until nothing that was rolled back is red at a look."""
    state, held, colour, version = MilestoneState(), set[str](), dict[str, str](), 0
    for second, (item, result, looks) in enumerate(course):
        fold(state, recorded(item, result, NOW + second))
        colour[item] = result
        if looks:
            events = react(state, NOW + second)
            version += len(events)
            for event in events:
                fold(state, event)
            red = {name for name in P0 if colour.get(name) == "red"}
            held = (held | red) if red - held or held & red else set()
            assert react(state, NOW + second) == []
        assert set(state.regressed) == held
        assert state.version == version
        red_now = held | {name for name in P0 if colour.get(name) == "red"}
        assert bool(frozen(state)) == bool(red_now)
        assert may_go_strict(state, "FG-05", NOW + second).allowed == (not red_now)
        strict = not red_now and all(colour.get(name) == "green" for name in P0)
        assert may_go_strict(state, "FG-12", NOW + second).allowed == strict
    assert msgspec.json.decode(msgspec.json.encode(state), type=MilestoneState) == state


@pytest.mark.requirement("GOV-40", "GOV-41")
def test_a_plane_rolls_back_in_its_log_and_goes_on_when_green(tmp_path: Path) -> None:
    metrics, now = tmp_path / "metrics", time.time()
    with ControlPlane.open(tmp_path / "home", background=False) as plane:
        for item in P0:
            plane.evidence.record(write(sample(item, at=now - 100), metrics))
        assert plane.milestones.react() == []
        plane.milestones.check_strict("FG-12")
        plane.milestones.check_flip("OPENCODE_SIM_GATE", "true")
        plane.evidence.record(write(sample("FG-02", at=now - 50, green=False), metrics))
        assert len(plane.milestones.react()) == 3
        with pytest.raises(MilestoneFrozen):
            plane.milestones.check_strict("FG-12")
        with pytest.raises(MilestoneFrozen):
            plane.milestones.check_flip("OPENCODE_MILESTONE_M2", "true")
        with pytest.raises(MilestoneFrozen):
            plane.flips.flip("OPENCODE_SIM_GATE", None, actor="ana", reason="a test")
        plane.flips.flip("OPENCODE_TAIL_SLO", "false", actor="ana", reason="a brake")
        assert plane.flips.held()["OPENCODE_SYNC_IO_FALLBACK"] == "true"
        assert plane.flags.sync_io_fallback
        assert not plane.flags.milestone_m1
    with ControlPlane.open(tmp_path / "home", background=False) as plane:
        assert plane.milestones.frozen() == ("M2", "M3")
        plane.evidence.record(write(sample("FG-02", at=now), metrics))
        assert [event.TOPIC for event in plane.milestones.react()] == ["milestone.thawed"]
        plane.milestones.check_strict("FG-12")
        topics = [entry.event.TOPIC for entry in plane.ledger.read(limit=1000)]
    assert topics.count("flag.flipped") == 3
    assert topics.count("milestone.rolled-back") == 1


def test_an_open_plane_reacts_by_itself(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "home", flags=read_flags({}, {})) as plane:
        seen: list[str] = []
        import threading

        rolled = threading.Event()

        def listen(rows: object) -> None:
            for row in rows:  # type: ignore[attr-defined]
                seen.append(row.topic)
                if row.topic == "milestone.rolled-back":
                    rolled.set()

        plane.ledger.listen(listen)
        plane.evidence.record(write(sample("FG-01", at=time.time(), green=False), tmp_path / "metrics"))
        assert rolled.wait(60), seen

"""Flags: the environment stands above the ledger, the ledger above the default; nothing unusable gets through."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from control_plane.errors import SettingsError
from control_plane.flags import Flags, check_flip, explain, read_flags
from control_plane.flags.milestones import BRAKES as MILESTONE_BRAKES
from control_plane.flags.milestones import MILESTONES, Milestone, rolled_back
from control_plane.flags.pages import example
from control_plane.flags.reading import FIELDS

PROJECT = Path(__file__).parent.parent
UNUSABLE = {
    "OPENCODE_SIM_GATE": "maybe",
    "OPENCODE_STOP_CHECK_MODE": "go",
    "OPENCODE_STOP_MAX_COMMANDS": "-1",
    "OPENCODE_LEARNING_SIGNING_MODE": "trusting",
    "CONTROL_PLANE_FLUSH_INTERVAL_MS": "0",
    "CONTROL_PLANE_JOURNAL_MB": "many",
}
# One for each item of the plan that promises a way back.
BRAKES = {
    "OPENCODE_ROUTER_BUFFERED_STATS": ("buffered_stats", "false", False),
    "OPENCODE_SYNC_IO_FALLBACK": ("sync_io_fallback", "true", True),
    "OPENCODE_LEARNING_INVALIDATION": ("learning_invalidation", "false", False),
    "OPENCODE_LEARNING_SIGNING_MODE": ("learning_signing_mode", "require-signed", "require-signed"),
    "OPENCODE_STRATEGY_BYPASS": ("strategy_bypass", "0", False),
    "OPENCODE_TAIL_SLO": ("tail_slo", "off", False),
    "OPENCODE_EVAL_GATE": ("eval_gate", "no", False),
    "OPENCODE_CADENCE_COORDINATION": ("cadence_coordination", "False", False),
    "OPENCODE_REPLAY_CAPTURE": ("replay_capture", "false", False),
    "OPENCODE_REPLAY_SEED": ("replay_seed", "17", "17"),
    "OPENCODE_REVIEW_SLO": ("review_slo", "false", False),
    "OPENCODE_RETRIEVAL_METRICS": ("retrieval_metrics", "false", False),
    "OPENCODE_SIM_GATE": ("sim_gate", "false", False),
    "OPENCODE_MILESTONE_M0": ("milestone_m0", "false", False),
    "OPENCODE_MILESTONE_M1": ("milestone_m1", "false", False),
    "OPENCODE_MILESTONE_M2": ("milestone_m2", "false", False),
    "OPENCODE_MILESTONE_M3": ("milestone_m3", "false", False),
    "OPENCODE_ENFORCEMENT_MODE": ("enforcement_mode", "off", "off"),
    "OPENCODE_ENFORCE_FAMILIES": ("enforce_families", "secrets, shell,", ("secrets", "shell")),
    "OPENCODE_STOP_CHECK_MODE": ("stop_check_mode", "execute", "execute"),
}


@pytest.mark.parametrize("name", BRAKES)
def test_the_environment_stands_above_the_ledger_above_the_default(name: str) -> None:
    field, text, value = BRAKES[name]
    default = getattr(read_flags({}, {}), field)
    assert default != value
    assert getattr(read_flags({}, {name: text}), field) == value
    assert getattr(read_flags({name: text}, {}), field) == value
    assert getattr(read_flags({name: explain(name, {}, {}).default or "other"}, {name: text}), field) != value
    assert explain(name, {name: text}, {name: "other"}).source == "environment"
    assert explain(name, {}, {name: text}).source == "ledger"
    assert explain(name, {}, {}).source == "default"


def test_every_flag_with_a_rollback_is_tried() -> None:
    assert {name for name in FIELDS if explain(name, {}, {}).rolls_back} == BRAKES.keys()


@pytest.mark.requirement("GOV-45", "FG-RISK-1", "FG-RISK-2")
@pytest.mark.parametrize("milestone", MILESTONES[1:], ids=lambda milestone: milestone.name)
def test_the_switch_of_a_milestone_rolls_its_items_back(milestone: Milestone) -> None:
    undone = rolled_back(milestone)
    assert len(undone) == 3
    before, after = read_flags({}, {}), read_flags({}, {milestone.switch: "false"})
    for name, value in undone.items():
        assert getattr(after, FIELDS[name]) == getattr(read_flags({name: value}, {}), FIELDS[name])
        assert getattr(after, FIELDS[name]) != getattr(before, FIELDS[name])
        assert explain(name, {}, {milestone.switch: "false"}).source == "ledger"
    others = {field for name, field in FIELDS.items() if name not in {*undone, milestone.switch}}
    assert all(getattr(after, field) == getattr(before, field) for field in others)
    assert read_flags({}, {milestone.switch: "true"}) == before


def test_what_stands_above_a_milestones_switch_is_not_touched_by_it() -> None:
    off = {"OPENCODE_MILESTONE_M2": "false"}
    assert read_flags({"OPENCODE_TAIL_SLO": "true"}, off).tail_slo
    assert not read_flags({"OPENCODE_TAIL_SLO": "true"} | off, {}).tail_slo
    assert not read_flags(off, {"OPENCODE_TAIL_SLO": "true"}).tail_slo


def test_no_milestone_weakens_signatures_or_opens_a_gate() -> None:
    off = read_flags({milestone.switch: "false" for milestone in MILESTONES}, {})
    assert (off.learning_signing_mode, off.eval_gate, off.sim_gate) == ("require-valid-signature", True, True)


def test_every_item_of_the_plan_has_one_brake_that_changes_something() -> None:
    assert [item for milestone in MILESTONES[1:] for item in milestone.items] == [*MILESTONE_BRAKES]
    for item, brake in MILESTONE_BRAKES.items():
        assert explain(brake.flag, {}, {}).item == item
        assert explain(brake.flag, {brake.flag: brake.value}, {}).value != explain(brake.flag, {}, {}).value


def test_reading_is_pure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODE_SIM_GATE", "false")
    assert read_flags({}, {}).sim_gate
    assert Flags().sim_gate


def test_an_empty_variable_is_unset() -> None:
    assert not read_flags({"OPENCODE_SIM_GATE": " "}, {"OPENCODE_SIM_GATE": "false"}).sim_gate


def test_flags_never_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_flags({}, {}).sim_gate = False  # type: ignore[misc]


def test_strict_is_another_word_for_valid_signatures() -> None:
    flags = read_flags({"OPENCODE_LEARNING_SIGNING_MODE": "strict"}, {})
    assert flags.learning_signing_mode == "require-valid-signature"


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_value_names_variable_value_and_what_is_allowed(name: str) -> None:
    value = UNUSABLE[name]
    with pytest.raises(SettingsError) as refused:
        read_flags({name: value}, {})
    assert refused.value.what == f"{name}={value} in the environment cannot be used"
    assert refused.value.why == f"it takes {explain(name, {}, {}).allowed}"
    assert refused.value.code == "settings.invalid"


def test_a_bad_flip_is_refused_before_it_becomes_an_event() -> None:
    check_flip("OPENCODE_SIM_GATE", "false")
    with pytest.raises(SettingsError, match=r"OPENCODE_SIM_GATE cannot be 'perhaps'"):
        check_flip("OPENCODE_SIM_GATE", "perhaps")
    with pytest.raises(SettingsError, match=r"CONTROL_PLANE_HOME cannot be flipped"):
        check_flip("CONTROL_PLANE_HOME", "/elsewhere")
    with pytest.raises(SettingsError, match=r"did you mean OPENCODE_SIM_GATE\?"):
        check_flip("OPENCODE_SIM_GAT", "false")


def test_flips_of_a_newer_program_and_of_host_settings_are_passed_over() -> None:
    assert read_flags({}, {"OPENCODE_OF_TOMORROW": "1", "CONTROL_PLANE_HOME": "/elsewhere"}) == read_flags({}, {})
    assert explain("CONTROL_PLANE_HOME", {}, {"CONTROL_PLANE_HOME": "/elsewhere"}).source == "default"


@pytest.mark.parametrize("name", ["OPENCODE_NOPE", "NOPE", "CONTROL_PLANE_NOPE"])
def test_a_name_that_is_like_no_other_is_not_taken_for_one(name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        explain(name, {}, {})
    assert refused.value.cure == "`control-plane flags list` shows them all"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"did you mean OPENCODE_TAIL_SLO\?"):
        explain("opencode_tail_slo", {}, {})


def test_a_password_is_never_shown() -> None:
    shown = explain("CONTROL_PLANE_HOME", {"CONTROL_PLANE_HOME": "postgresql://me:secret@host/db"}, {})
    assert shown.value == "postgresql://me:***@host/db"


def test_every_line_of_the_example_can_be_uncommented() -> None:
    lines = [line[1:] for line in example().splitlines() if line.startswith("#") and not line.startswith("# ")]
    given = dict(line.split("=", 1) for line in lines)
    assert given.keys() == FIELDS.keys()
    assert read_flags(given, {}) == read_flags({}, {})


def test_nothing_loads_the_flags_before_they_are_needed() -> None:
    watch = "import sys, control_plane, control_plane.ledger.opening; print('pydantic_settings' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert told.stdout.strip() == "False"

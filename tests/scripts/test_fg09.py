"""The proof of FG-09 passes on the real system, and fails when a decision depends on what no event holds."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/replay/fg09_replay_parity.py"


@pytest.mark.requirement(
    "FG-09-2", "FG-09-VERIFY", "FG-09-PASS", "FG-09-ROLLBACK", "ROUTER-53", "ROUTER-86", "ROUTER-88"
)
def test_every_decision_of_several_processes_is_decided_again_alike(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-09", tmp_path, "--quick")
    assert evidence.after.figures["decisions, PYTHONHASHSEED=0"] >= 500
    assert evidence.after.rejected == 0
    assert evidence.before.accepted == 0


@pytest.mark.long
@pytest.mark.requirement("ROUTER-87")
def test_other_pythons_decide_alike(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-09", tmp_path, seconds=1500)
    assert {f"decisions, Python {version}" for version in ("3.11", "3.12", "3.13")} <= evidence.after.figures.keys()


def test_a_decision_by_what_no_event_holds_is_seen(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="hidden-input") == 1
    assert failed(tmp_path) >= {"parity, this process", "parity, PYTHONHASHSEED=0"}


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2

"""What a proof leaves behind: the governance suite's result, and with a home a signature and a line in the log."""

import shutil
from pathlib import Path

import pytest

from control_plane import ControlPlane
from control_plane.evidence import Evidence, Rollback, at_most, check, is_evidence, sidecar
from control_plane.proving import Findings, run_proof
from control_plane.proving.governance import suite_result
from tests.evidence.samples import SIDE

PROJECT = Path(__file__).parents[2]


def findings(p99: float) -> Findings:
    rollback = Rollback(switch="OPENCODE_X=false", validated=True, result="as before")
    return Findings(before=SIDE, after=SIDE, criteria=(at_most("p99", p99, 5.0),), rollback=rollback)


def left_by(folder: Path) -> tuple[Path, Evidence]:
    (path,) = filter(is_evidence, folder.glob("*.json"))
    return path, check(path)


@pytest.mark.requirement("FG-EVIDENCE-5", "FG-POLICY-3")
def test_evidence_holds_the_result_of_the_governance_suite(tmp_path: Path) -> None:
    assert run_proof("FG-99", "scripts/x.py", "", lambda _: findings(3.0), ["--metrics", str(tmp_path)]) == 0
    _, evidence = left_by(tmp_path)
    assert evidence.governance.result == "passed"
    assert evidence.governance.validators == {
        "control-plane-schema": True,
        "fallback-consistency": True,
        "plugin-compatibility": True,
    }


def test_a_fault_in_the_repository_is_in_the_evidence_and_nothing_to_look_at_is_said(tmp_path: Path) -> None:
    assert suite_result(tmp_path).result == "not run"
    shutil.copy(PROJECT / "opencode-config-schema.json", tmp_path)
    shutil.copytree(PROJECT / "opencode-config", tmp_path / "opencode-config")
    assert suite_result(tmp_path).result == "passed"
    (tmp_path / "opencode-config" / "rate-limit-fallback.jsonc").unlink()
    found = suite_result(tmp_path)
    assert found.result == "failed"
    assert [name for name, passed in found.validators.items() if not passed] == ["fallback-consistency"]


@pytest.mark.requirement("GOV-37", "GOV-40")
def test_with_a_home_the_evidence_is_signed_recorded_and_heeded(tmp_path: Path) -> None:
    metrics, home = tmp_path / "metrics", tmp_path / "home"
    words = ["--metrics", str(metrics), "--home", str(home)]
    assert run_proof("FG-01", "scripts/x.py", "", lambda _: findings(30.0), words) == 1
    path, _ = left_by(metrics)
    assert sidecar(path).exists()
    with ControlPlane.open(home, background=False) as plane:
        assert plane.evidence.verify(path).ok
        assert plane.evidence.newest()["FG-01"].result == "red"
        assert plane.milestones.frozen() == ("M2", "M3")


@pytest.mark.requirement("GOV-45", "FG-RISK-1")
def test_no_baseline_is_taken_while_its_milestone_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: bool) -> Findings:
        raise AssertionError("it was taken")

    monkeypatch.setenv("OPENCODE_MILESTONE_M0", "false")
    assert run_proof("M0", "scripts/x.py", "", never, ["--metrics", str(tmp_path / "metrics")]) == 0
    assert not (tmp_path / "metrics").exists()

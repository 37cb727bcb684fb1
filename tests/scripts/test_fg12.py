"""The proof of FG-12 passes on the real system, and fails when its gate stands open."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/governance/fg12_sim_gate.py"


@pytest.mark.requirement("FG-12-3", "FG-12-VERIFY", "FG-12-PASS", "FG-12-ROLLBACK", "GOV-24", "FG-RISK-3")
def test_nothing_strict_happens_without_a_valid_fresh_simulation(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-12", tmp_path, "--quick")
    assert evidence.after.rejected == 62
    assert evidence.after.figures["strict_acts"] == evidence.after.figures["linked"] == 8
    assert evidence.before.figures["linked"] == 0


def test_with_the_gate_open_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="no-gate") == 1
    assert {"of these let in", "strict acts without a simulation linked in the log"} <= failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2


@pytest.mark.long
@pytest.mark.requirement("GOV-46", "GOV-47", "GOV-55", "GOV-56", "GOV-57")
def test_a_thousand_flips_without_an_artifact_are_refused_and_those_with_one_pass(tmp_path: Path) -> None:
    shown(SCRIPT, "fg-12", tmp_path, seconds=900.0)

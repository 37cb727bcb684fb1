"""The proof of FG-07 passes on the real system, and fails when its gate stands open."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/evals/fg07_promotion_gate.py"


@pytest.mark.requirement("FG-07-3", "FG-07-VERIFY", "FG-07-PASS", "FG-07-ROLLBACK", "GOV-25")
def test_no_promotion_without_a_passing_fresh_evaluation(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-07", tmp_path, "--quick")
    assert evidence.after.rejected == 32
    assert evidence.after.figures["promotions"] == evidence.after.figures["passing"] == 6
    assert evidence.before.figures["passing"] == 0


def test_with_the_gate_open_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="no-gate") == 1
    assert {"of these let in", "promotions in the log without a passing delta"} <= failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2


@pytest.mark.long
@pytest.mark.requirement("GOV-46", "GOV-47", "GOV-55", "GOV-56", "GOV-57")
def test_a_thousand_attempts_without_an_artifact_are_refused_and_those_with_one_pass(tmp_path: Path) -> None:
    shown(SCRIPT, "fg-07", tmp_path, seconds=900.0)

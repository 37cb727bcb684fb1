"""The proof of FG-05 passes on the real system, and fails when nobody is passed over."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/fault/fg05_strategy_failure_isolation.py"


@pytest.mark.requirement(
    "FG-05-VERIFY", "FG-05-PASS", "FG-05-ROLLBACK", "ROUTER-11", "ROUTER-12", "ROUTER-13", "ROUTER-78", "ROUTER-79",
    "ROUTER-80",
)  # fmt: skip
def test_a_failing_strategy_is_passed_over_and_comes_back(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-05", tmp_path, "--quick")
    assert evidence.after.figures["hangs: asked_while_ill"] == 2
    assert evidence.before.figures["raises: asked_while_ill"] == 40


def test_without_the_bypass_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="no-bypass") == 1
    assert "calls before the bypass" in failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2

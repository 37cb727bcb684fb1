"""The proof of FG-01 passes on the real system, and fails when results get lost or doubled."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/perf/fg01_stats_durability.py"


@pytest.mark.requirement(
    "FG-01-1", "FG-01-2", "FG-01-3", "FG-01-VERIFY", "FG-01-PASS", "FG-01-ROLLBACK", "ROUTER-69", "ROUTER-70"
)
def test_no_result_is_lost_or_doubled(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-01", tmp_path, "--quick")
    assert evidence.after.accepted >= 3_000
    assert evidence.after.figures["lost"] == evidence.after.figures["doubled"] == 0
    assert evidence.rollback.switch == "OPENCODE_ROUTER_BUFFERED_STATS=false"
    assert evidence.rollback.validated


@pytest.mark.long
@pytest.mark.requirement("ROUTER-68", "ROUTER-69")
def test_a_hundred_thousand_results_survive(tmp_path: Path) -> None:
    assert shown(SCRIPT, "fg-01", tmp_path, seconds=1800).after.accepted >= 100_000


@pytest.mark.parametrize(
    ("fault", "criterion"),
    [
        ("lose-results", "acknowledged results that are lost"),
        ("double-results", "acknowledged results that are there twice"),
    ],
)
def test_the_proof_sees_results_that_are_lost_or_doubled(tmp_path: Path, fault: str, criterion: str) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault=fault) == 1
    assert failed(tmp_path) == {criterion}


def test_a_process_that_ends_before_it_is_killed_fails_the_proof(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="give-up") == 1
    assert "processes that had ended by themselves" in failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2

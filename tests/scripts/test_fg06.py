"""The proof of FG-06 passes on the real system, and fails when nobody looks at tails."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/perf/fg06_tail_latency_slo.py"


@pytest.mark.requirement("FG-06-VERIFY", "FG-06-PASS-1", "FG-06-PASS-2", "FG-06-ROLLBACK", "ROUTER-66", "ROUTER-81")
def test_an_outlier_is_left_and_loops_keep_their_deadline(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-06", tmp_path, "--quick")
    assert 0 < evidence.after.figures["results_until_left"] <= 50
    assert evidence.before.figures["loops_late"] > 5 * evidence.after.figures["loops_late"]


def test_without_tails_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="no-tails") == 1
    assert {"results of the outlier until it was left", "its share afterwards"} <= failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2

"""The proof of FG-10 passes on the real system, and fails when nobody looks after the queue."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/ops/fg10_review_queue_slo.py"


@pytest.mark.requirement("FG-10-VERIFY", "FG-10-PASS-1", "FG-10-PASS-2", "FG-10-ROLLBACK")
def test_an_old_queue_says_so_once_and_each_week_is_reported(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-10", tmp_path, "--quick")
    assert evidence.after.figures["alerts"] == evidence.after.figures["crossings"] > 0
    assert evidence.before.figures["alerts"] == 0
    assert evidence.after.figures["p95_at_end"] < 24 <= evidence.before.figures["p95_at_end"]
    (report,) = (tmp_path / ".opencode" / "metrics").glob("*/weekly-report.md")
    assert "| guard |" in report.read_text()


def test_when_nobody_watches_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="nobody-watches") == 1
    assert {"p95 age of the queue in the end, hours", "weeks without a report"} <= failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2


@pytest.mark.long
@pytest.mark.requirement("GOV-46", "GOV-47")
def test_the_whole_form_passes(tmp_path: Path) -> None:
    shown(SCRIPT, "fg-10", tmp_path, seconds=900.0)

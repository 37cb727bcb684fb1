"""The proof of FG-04 passes on the real system, and fails when no signature is checked."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/security/fg04_ingestion_integrity.py"


@pytest.mark.requirement("FG-04-VERIFY", "FG-04-PASS", "FG-04-ROLLBACK")
def test_nothing_falsified_comes_in_and_all_that_is_true_does(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-04", tmp_path, "--quick")
    assert evidence.before.accepted > evidence.before.figures["true"], "without the check forgeries come in"
    assert evidence.after.accepted == evidence.after.figures["true"]


def test_where_no_signature_is_checked_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="lenient") == 1
    assert "falsified or unsigned records accepted" in failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2


@pytest.mark.long
@pytest.mark.requirement("GOV-46", "GOV-47", "GOV-48", "GOV-49", "GOV-50", "GOV-51")
def test_a_hundred_thousand_falsified_records_are_refused_at_speed(tmp_path: Path) -> None:
    shown(SCRIPT, "fg-04", tmp_path, seconds=900.0)

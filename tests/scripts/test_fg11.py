"""The proof of FG-11 passes on the real system, and fails when what is found is found by chance."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/evals/fg11_retrieval_quality.py"


@pytest.mark.requirement("FG-11-VERIFY", "FG-11-PASS", "FG-11-ROLLBACK")
def test_retrieval_is_good_watched_and_its_falls_are_told(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-11", tmp_path, "--quick")
    assert evidence.after.figures["measured"] >= 14
    assert evidence.before.figures["measured"] == 0
    assert evidence.before.figures["level"] == "unknown"


def test_a_retriever_that_answers_at_random_fails_the_proof(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="at-random") == 1
    assert {"MAP@5", "grounded recall", "level as promotion reads it"} <= failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2


@pytest.mark.long
@pytest.mark.requirement("GOV-46", "GOV-47")
def test_the_whole_form_passes(tmp_path: Path) -> None:
    shown(SCRIPT, "fg-11", tmp_path, seconds=900.0)

"""The proof of FG-03 passes on the real system, and fails when advice does not hear of results."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/perf/fg03_feedback_lag.py"


@pytest.mark.requirement("FG-03-2", "FG-03-VERIFY", "FG-03-PASS", "FG-03-ROLLBACK", "ROUTER-45", "ROUTER-77")
def test_advice_reflects_a_failure_at_once_here_and_soon_elsewhere(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-03", tmp_path, "--quick")
    assert evidence.before.p50 >= 1_000.0
    assert evidence.after.figures["postgres_p95"] == "not run"


@pytest.mark.long
@pytest.mark.requirement("ROUTER-74", "ROUTER-75")
def test_signals_are_heard_within_milliseconds(tmp_path: Path) -> None:
    bars = {criterion.name: criterion.limit for criterion in shown(SCRIPT, "fg-03", tmp_path, seconds=600).criteria}
    assert bars["ms until advice reflects a signal, in process, p99"] == 10.0
    assert bars["ms until advice reflects a signal, elsewhere, p99"] == 250.0


def test_without_invalidation_the_proof_fails(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="deaf") == 1
    assert "signals in the log that the next advice does not reflect" in failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2

"""The proof of FG-08 passes on the real scheduler, and fails when its staggering is taken away."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from control_plane.cadence import Staggered
from tests.scripts.proofs import failed, load, run, shown

SCRIPT = "scripts/perf/fg08_poll_coordination.py"


class NotStaggered(Staggered):
    """A planted fault: everybody gets the slot that they want."""

    def book(self, target: float, earliest: float) -> float:
        self._taken.clear()
        return super().book(target, earliest)


@pytest.fixture(scope="module")
def proof() -> ModuleType:
    return load(SCRIPT)


@pytest.mark.requirement("FG-08-VERIFY", "FG-08-PASS", "FG-08-ROLLBACK", "FG-08-3")
def test_the_proof_passes_and_leaves_evidence(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "fg-08", tmp_path, "--quick")
    assert evidence.after.rejected == 0
    assert evidence.before.rejected / evidence.before.accepted > 0.05
    assert evidence.rollback.switch == "OPENCODE_CADENCE_COORDINATION=false"
    assert len(json.loads((tmp_path / ".opencode" / "metrics" / evidence.artifacts[0].path).read_text())) == 1000


@pytest.mark.long
def test_the_proof_passes_at_our_bars(tmp_path: Path) -> None:
    assert {criterion.bar for criterion in shown(SCRIPT, "fg-08", tmp_path).criteria} == {"ours"}


@pytest.mark.long
@pytest.mark.requirement("FG-08-VERIFY")
def test_without_staggering_the_proof_fails(
    proof: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proof.main(["--quick", "--metrics", str(tmp_path)], staggered=NotStaggered) == 1
    printed = capsys.readouterr().out
    assert "FAIL collision rate at peak:" in printed
    assert "FAIL collision rate at peak, as the scheduler reports it:" in printed
    assert "ok   collision rate at peak without coordination:" in printed
    assert "collision rate at peak" in failed(tmp_path)


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run(SCRIPT, "--sideways", folder=tmp_path).returncode == 2


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    proof: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert proof.main(["--metrics", str(tmp_path / "file")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "evidence cannot be written to" in told.err
    assert "Traceback" not in told.err

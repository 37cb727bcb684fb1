"""The proof of FG-08 passes on the real scheduler, and fails when its staggering is taken away."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from control_plane.cadence import Staggered
from control_plane.evidence import check

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "perf" / "fg08_poll_coordination.py"


class NotStaggered(Staggered):
    """A planted fault: everybody gets the slot that they want."""

    def book(self, target: float, earliest: float) -> float:
        self._taken.clear()
        return super().book(target, earliest)


@pytest.fixture(scope="module")
def proof() -> ModuleType:
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # Tracing would be measured as the scheduler's own cost.
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment = untraced | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.requirement("FG-08-VERIFY", "FG-08-PASS", "FG-08-ROLLBACK", "FG-08-3")
def test_the_proof_passes_and_leaves_evidence(tmp_path: Path) -> None:
    done = run("--json", folder=tmp_path)
    assert (done.returncode, done.stderr[:9]) == (0, "evidence:"), done.stdout + done.stderr
    (path,) = (tmp_path / ".opencode" / "metrics").glob("fg-08-*.json")
    evidence = check(path)
    assert json.loads(done.stdout) == json.loads(path.read_text())
    assert evidence.green
    assert evidence.after.rejected == 0
    assert evidence.before.rejected / evidence.before.accepted > 0.05
    assert evidence.rollback.switch == "OPENCODE_CADENCE_COORDINATION=false"
    assert len(json.loads((path.parent / evidence.artifacts[0].path).read_text())) == 1000
    assert str(tmp_path) not in path.read_text()


@pytest.mark.requirement("FG-08-VERIFY")
def test_without_staggering_the_proof_fails(
    proof: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proof.main(["--metrics", str(tmp_path)], staggered=NotStaggered) == 1
    printed = capsys.readouterr().out
    assert "FAIL collision rate at peak:" in printed
    assert "FAIL collision rate at peak, as the scheduler reports it:" in printed
    assert "ok   collision rate at peak without coordination:" in printed
    (path,) = tmp_path.glob("fg-08-*.json")
    assert not check(path).green


def test_bad_usage_exits_with_two(tmp_path: Path) -> None:
    assert run("--sideways", folder=tmp_path).returncode == 2


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    proof: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert proof.main(["--metrics", str(tmp_path / "file")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "evidence cannot be written to" in told.err
    assert "Traceback" not in told.err

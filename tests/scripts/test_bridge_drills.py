"""Every runbook of the bridge has a drill that runs, and a drill that does not cure is seen."""

import re
from pathlib import Path

import pytest

from tests.scripts.proofs import ROOT, failed, load, shown

SCRIPT = "scripts/ops/bridge_drills.py"
BOOKS = {path.stem.removeprefix("bridge-"): path for path in (ROOT / "docs/runbooks").glob("bridge-*.md")}


@pytest.mark.requirement("BRIDGE-25", "BRIDGEOPS-39", "BRIDGEOPS-106")
@pytest.mark.requirement("BRIDGEOPS-30", "BRIDGEOPS-31", "BRIDGEOPS-32", "BRIDGEOPS-33", "BRIDGEOPS-34", "BRIDGEOPS-35")
@pytest.mark.requirement("BRIDGEOPS-36", "BRIDGEOPS-37", "BRIDGEOPS-38")
def test_every_runbook_has_its_drill_and_every_drill_its_runbook() -> None:
    assert set(BOOKS) == set(load(SCRIPT).DRILLS)
    index = (ROOT / "docs/runbooks/bridge.md").read_text()
    for name, path in BOOKS.items():
        text = path.read_text()
        assert f"`bridge-{name}`" in text
        assert re.findall(r"^## (.*)$", text, re.M) == ["What is seen", "Where to look", "What to do", "Drill"]
        assert f"({path.name})" in index


@pytest.mark.requirement("BRIDGE-25", "BRIDGEOPS-40")
def test_the_drills_run_and_leave_evidence(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "bridge-drills", tmp_path, "--quick")
    assert {criterion.name for criterion in evidence.criteria} == {f"bridge-{name}" for name in load(SCRIPT).SHORT}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_all_drills_run_those_with_servers_too(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "bridge-drills", tmp_path, seconds=500)
    assert len(evidence.criteria) == len(BOOKS)


def test_a_cure_that_does_not_work_fails_the_drill(tmp_path: Path) -> None:
    module = load(SCRIPT)
    module.SHORT = ("escalation-flood",)
    assert module.main(["--quick", "--metrics", str(tmp_path)], fault="escalation-flood") == 1
    assert failed(tmp_path) == {"bridge-escalation-flood"}

"""The launch page says what the evidence says, and not ready where something does not hold or has not run."""

from pathlib import Path

import pytest

from tests.scripts.proofs import load

SCRIPT = "scripts/ops/launch_readiness.py"


@pytest.mark.requirement(
    "BRIDGE-26", "BRIDGEOPS-40", "BRIDGEOPS-102", "BRIDGEOPS-104", "BRIDGEOPS-105", "BRIDGEOPS-108"
)
def test_the_page_is_filled_from_the_evidence(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    words = ["--metrics", str(tmp_path), "--page", str(page)]
    assert load(SCRIPT).main(words) == 1
    assert "has not run here" in page.read_text()
    drills = load("scripts/ops/bridge_drills.py")
    drills.SHORT = ("escalation-flood",)
    assert drills.main(["--quick", "--metrics", str(tmp_path)]) == 0
    assert load(SCRIPT).main(words) == 1
    text = page.read_text()
    assert "| bridge-escalation-flood | True | == True | holds |" in text
    for owner in ("product owner", "platform engineer", "security owner", "agent-workflow owner"):
        assert owner in text
    assert drills.main(["--quick", "--metrics", str(tmp_path)], fault="escalation-flood") == 1
    assert load(SCRIPT).main(words) == 1
    assert "**does not hold**" in page.read_text()

"""Processes on one PostgreSQL lose nothing and agree; the guide's figures are those of a run of the proof."""

import re
from pathlib import Path

import pytest

from tests.scripts.proofs import ROOT, failed, load, shown

SCRIPT = "scripts/perf/scale_out.py"
GUIDE = ROOT / "docs" / "scale-out.md"
ROW = re.compile(r"^\| (\d) \| ([\d,]+) \|(?: [\d.]+ \|){6}$", re.MULTILINE)


@pytest.mark.long
@pytest.mark.requirement("SHIP-32")
def test_two_processes_on_one_log(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "scale-out", tmp_path, "--quick")
    assert evidence.after.figures["2_processes_events_per_s"] > 0


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.requirement("SHIP-32")
def test_four_processes_on_one_log(tmp_path: Path) -> None:
    figures = shown(SCRIPT, "scale-out", tmp_path, seconds=500).after.figures
    for what in ("events_per_s", "commit_p99_ms", "invalidation_p99_ms"):
        assert all(figures[f"{one}_{what}"] > 0 for one in ("1_process", "2_processes", "4_processes"))


@pytest.mark.long
def test_a_process_that_says_more_than_it_wrote_fails_the_proof(tmp_path: Path) -> None:
    assert load(SCRIPT).main(["--quick", "--metrics", str(tmp_path)], fault="lose") == 1
    assert failed(tmp_path) == {"results lost or doubled"}


@pytest.mark.requirement("SHIP-33", "SHIP-34")
def test_the_guide_has_a_row_for_each_number_of_processes_and_says_when_to_shard() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rows = {int(count): int(rate.replace(",", "")) for count, rate in ROW.findall(text)}
    assert set(rows) == set(load(SCRIPT).WHOLE.processes)
    assert f"python {SCRIPT}" in text
    # The arithmetic rests on the table, and comes out as it says.
    (log, share, workspaces, decisions) = re.search(
        r"([\d,]+) events a second × ([\d.]+) ÷ \((\d+) × ([\d.]+)\) ", text
    ).groups()
    agents = float(log.replace(",", "")) * float(share) / (float(workspaces) * float(decisions))
    (said,) = re.findall(r"= about ([\d,]+) agents", text)
    assert float(log.replace(",", "")) == rows[max(rows)]
    assert int(said.replace(",", "")) == pytest.approx(agents, rel=0.05)

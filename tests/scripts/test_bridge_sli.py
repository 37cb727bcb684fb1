"""The bridge's service levels hold on the real system, and a reader who looks too seldom fails them."""

from pathlib import Path

import pytest

from tests.scripts.proofs import failed, load, shown

pytestmark = pytest.mark.long

SCRIPT = "scripts/perf/bridge_sli_baseline.py"


@pytest.mark.requirement("BRIDGEOPS-24", "BRIDGEOPS-60", "BRIDGEOPS-61", "BRIDGEOPS-62", "BRIDGEOPS-63", "BRIDGEOPS-64")
@pytest.mark.requirement("BRIDGEOPS-65", "BRIDGEOPS-66", "BRIDGEOPS-95", "BRIDGEOPS-96", "BRIDGEOPS-97", "BRIDGEOPS-98")
def test_posts_reads_and_wakes_keep_the_seeds_levels(tmp_path: Path) -> None:
    evidence = shown(SCRIPT, "bridge-sli", tmp_path, "--quick")
    assert evidence.after.figures["posts"] > 100


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.requirement("BRIDGE-34", "BRIDGE-35", "BRIDGE-36", "BRIDGE-37", "BRIDGE-38")
def test_our_levels_at_200_messages_a_second(tmp_path: Path) -> None:
    shown(SCRIPT, "bridge-sli", tmp_path, seconds=1100)


def test_a_reader_who_looks_every_few_seconds_misses_the_levels(tmp_path: Path) -> None:
    module = load(SCRIPT)
    module.burst = lambda _: (0, 0, True, 0.0)
    module.reading = lambda _: {}
    assert module.main(["--quick", "--metrics", str(tmp_path)], fault="blind") == 1
    assert failed(tmp_path) == {"p95 post-to-visible, ms"}

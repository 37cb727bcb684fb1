"""Side by side with LiteLLM, where it is installed: the ratios that `benchmarks/vs_litellm.py` prints, and its bars."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROUNDS = os.environ.get("VS_LITELLM_ROUNDS", "3")
NOT_INSTALLED = 2


@pytest.mark.timeout(1200)
@pytest.mark.requirement("ROUTER-96", "ROUTER-97", "ROUTER-98")
def test_advice_is_far_quicker_than_every_strategy_of_litellm(could_not_show: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "benchmarks.vs_litellm", "--json", "--rounds", ROUNDS]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode == NOT_INSTALLED:
        could_not_show(done.stderr.strip())
        return
    found = json.loads(done.stdout)
    for size, strategies in found["rows"].items():
        for strategy, row in strategies.items():
            print(f"{size:>4} arms, {strategy}: {row['theirs_us']:.0f} µs to {row['ours_us']:.1f} µs")
    assert set(found["rows"]) == {"4", "20", "100"}
    assert not found["missed"]

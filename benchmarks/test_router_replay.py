"""Deciding everything again from the log: 50,000 decisions a second, each on its recorded path."""

import random
import time
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from control_plane import ControlPlane, Task
from control_plane.proving import arms
from control_plane.router.replay import Parity

DECISIONS, PER_SECOND = 50_000, 50_000


def test_replay_keeps_up(tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    chance = random.Random(5)
    with ControlPlane.open(tmp_path / "home", catalogue=arms(10)) as plane:
        for number in range(DECISIONS):
            decision = plane.advise(Task(type=f"kind-{chance.randrange(20)}")).decision_id
            plane.record_result(decision, success=chance.random() < 0.7, latency_ms=300.0, cost_usd=0.01)
            if number % 1000 == 0:
                plane.flush()
        plane.flush()
        began = time.perf_counter()
        found: Parity = benchmark.pedantic(plane.replay, rounds=1)
        rate = found.decisions / (time.perf_counter() - began)
    benchmark.extra_info["decisions_per_second"] = rate
    print(f"\n{found.matched:,} of {found.decisions:,} decided again alike, {rate:,.0f} a second")
    assert found.matched == found.decisions == DECISIONS
    assert rate >= PER_SECOND

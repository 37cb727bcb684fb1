"""What Prometheus reads: parsed by its own parser, complete, and silent about what nobody measured."""

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from control_plane import ControlPlane, Task
from control_plane.api.app import create_app
from control_plane.api.loopwatch import IDLE_S, LoopWatch
from control_plane.cadence.virtual import run_virtually
from control_plane.clock import VirtualClock
from control_plane.memory.events import QualityMeasured
from control_plane.router.strategies import STRATEGIES, Strategy
from tests.api.conftest import ARMS, TOKEN
from tests.api.test_wire import served

pytestmark = pytest.mark.anyio


async def families(client):
    text = (await client.get("/metrics")).text
    found = list(text_string_to_metric_families(text))
    assert len({one.name for one in found}) == len(found)
    assert all(one.documentation for one in found)
    return {one.name.removeprefix("control_plane_"): one for one in found}


async def work(client, plane):
    """Decisions, results good and bad, a record that is refused, a parity, a thing that waits for a person."""
    for number in range(20):
        advice = (await client.post("/api/advise", json={"type": "code.fix"})).json()
        told = {"decision_id": advice["decision_id"], "success": number % 3 > 0, "latency_ms": 100.0 + number}
        await client.post("/api/results", json=told)
    plane.learn(b"{}")
    plane.review.add("guard", item="i1")
    plane.replay()
    plane.flush()


@pytest.mark.requirement("SERVE-16", "SERVE-17", "SERVE-18", "SERVE-19")
async def test_every_figure_that_is_promised_is_there(client, plane, clock):
    await work(client, plane)
    tails = (await families(client))["arm_latency_ms"].samples
    clock.pass_by(3600)
    found = await families(client)
    for name in (
        "decision_seconds", "commit_lag_seconds", "journal_depth", "flush_retries", "records_rejected",
        "strategies_bypassed", "cooled", "arm_latency_ms", "arm_tail_penalty", "replay_parity", "review_age_p95_hours",
        "review_pending", "poll_overlaps", "event_loop_late_seconds", "event_loop_late_max_seconds", "requests",
        "request_seconds", "refused", "decisions", "results",
    ):  # fmt: skip
        assert name in found, name
    counts = {one.name: one.value for one in found["decision_seconds"].samples if not one.labels}
    assert counts["control_plane_decision_seconds_count"] == 20
    assert [one.value for one in found["replay_parity"].samples] == [1.0]
    assert [one.value for one in found["review_age_p95_hours"].samples] == [pytest.approx(1.0, abs=0.05)]
    assert sum(one.value for one in found["records_rejected"].samples) == 1
    assert {one.labels["quantile"] for one in tails} >= {"0.5"}
    lags = {one.name: one.value for one in found["commit_lag_seconds"].samples if not one.labels}
    assert lags["control_plane_commit_lag_seconds_count"] > 0


@pytest.mark.requirement("SERVE-19")
@pytest.mark.requirement("FG-04-3")
async def test_what_was_not_let_in_is_counted_by_its_reason(client, plane):
    before = (await client.get("/api/orchestration")).json()["rejected_records"]
    plane.learn(b"{}")
    plane.learn(b"no json")
    told = (await client.get("/api/orchestration")).json()["rejected_records"]
    assert sum(told.values()) - sum(before.values()) == 2
    counted = (await families(client))["records_rejected"].samples
    assert {one.labels["reason"]: one.value for one in counted} == told


def unable(_):
    raise RuntimeError("it is broken")


@pytest.mark.requirement("FG-05-3")
@pytest.mark.parametrize("path", ["/api/health", "/api/orchestration"])
async def test_strategies_that_fail_are_counted(tmp_path, clock, access, path):
    broken = Strategy("broken", 60, unable)
    with ControlPlane.open(
        tmp_path / "home", catalogue=ARMS, clock=clock, strategies=(broken, *STRATEGIES), background=False
    ) as plane:
        transport = httpx.ASGITransport(create_app(plane, access))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            well = (await client.get(path)).json()["strategy_health"]
            assert (well["active_bypass"], well["unhealthy"], well["total"]) == (0, 0, len(STRATEGIES) + 1)
            for number in range(8):
                plane.advise(Task(type=f"kind-{number}"))
            ill = (await client.get(path)).json()["strategy_health"]
            assert (ill["active_bypass"], ill["unhealthy"]) == (1, 1)


async def test_what_nobody_measured_is_left_out_until_somebody_does(client, plane, clock):
    assert not {"replay_parity", "retrieval_map", "retrieval_grounded_recall"} & (await families(client)).keys()
    measured = QualityMeasured(
        at=clock.now(), benchmark="b1", own=False, retriever="fts5", k=5, queries=10, items=20, map_at_k=0.8,
        grounded_recall=0.9, hit_rate=1.0, live_items=0, live_hit_rate=None, level="pass",
    )  # fmt: skip
    plane.ledger.append("memory", [measured])
    found = await families(client)
    assert [one.value for one in found["retrieval_map"].samples] == [0.8]


async def test_a_request_is_counted_by_its_route_never_by_its_path(client):
    for number in range(5):
        await client.get(f"/api/decisions/d{number}")
        await client.get(f"/nowhere/{number}")
    found = await families(client)
    counts = {(one.labels["route"], one.labels["status"]): one.value for one in found["requests"].samples
              if one.name.endswith("_total")}  # fmt: skip
    assert counts["/api/decisions/{decision_id}", "404"] == 5
    assert len({route for route, _ in counts}) <= 4


def watched(requests, meanwhile):
    """What the watch told of a loop whose time is virtual."""
    told, clock = [], VirtualClock()

    async def live():
        watch = LoopWatch(told.append, requests, clock.monotonic)
        watch.start()
        await meanwhile(clock)
        watch.stop()

    run_virtually(clock, live)
    return told


def test_lateness_of_the_loop_is_seen():
    async def held_up(clock):
        await anyio.sleep(1)
        clock.advance(0.3)  # a callback that takes its time
        await anyio.sleep(1)

    late = sorted(watched(lambda: 0, held_up))
    assert late[-1] >= 0.3 - IDLE_S
    assert late[-2] < 1e-9


def test_the_watch_rests_while_nobody_asks():
    asked = iter(range(1, 10_000))
    assert len(watched(lambda: 0, lambda _: anyio.sleep(1))) <= 11
    assert len(watched(lambda: next(asked), lambda _: anyio.sleep(1))) >= 190


async def test_what_the_watch_tells_is_measured(plane, access):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        served(create_app(plane, access)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client,
    ):
        while True:
            found = await families(client)
            told = {one.name: one.value for one in found["event_loop_late_seconds"].samples if not one.labels}
            if told["control_plane_event_loop_late_seconds_count"] >= 3:
                break
        worst = found["event_loop_late_max_seconds"].samples[0].value
    assert 0 < worst <= told["control_plane_event_loop_late_seconds_sum"]

"""A policy tried on a real log: the recorded one repeats it, another one is judged by what the log can say."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import fmean

import msgspec
import pytest

from control_plane import Arm, ControlPlane, Policy, Task
from control_plane.ledger.backend import Row
from control_plane.proving import HandClock, flags
from control_plane.router.breakers import BreakerPolicy
from control_plane.router.events import AdviceGiven, CatalogueDeclared
from control_plane.router.sim_report import SAMPLES, Simulation, SimulationRequest
from control_plane.router.simulation import Signed, Simulator, Told
from control_plane.router.state import fold
from control_plane.router.tails import TailPolicy

ARMS = (
    Arm("acme/strong", prior=0.7, price_in=3.0, price_out=15.0, tools=("bash", "web"), strengths=("python",)),
    Arm("acme/cheap", prior=0.5, price_in=0.2, price_out=0.8, tools=("bash",)),
    Arm("other/middle", prior=0.6, price_in=1.0, price_out=4.0, tools=("bash",), fallback="acme/strong"),
    Arm.cascade("cheap-then-strong", [("acme/cheap", "tests"), ("acme/strong", None)], prior=0.65),
)
RATES = {"acme/strong": 0.85, "acme/cheap": 0.55, "other/middle": 0.7}
# Explores much, so that a log of a few hundred decisions speaks for other policies too.
CURIOUS = Policy(floor=0.5)

Open = Callable[..., ControlPlane]


@pytest.fixture
def open_plane(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        numbers = count()

        def opened(home: str | None = None, **options) -> ControlPlane:
            name = home or f"home-{next(numbers)}"
            options = {
                "catalogue": ARMS, "clock": HandClock(), "background": False, "flags": flags(), "policy": Policy(),
            } | options  # fmt: skip
            return stack.enter_context(ControlPlane.open(tmp_path / name, **options))

        yield opened


def live(plane: ControlPlane, decisions: int, seed: int = 1, kinds: int = 3) -> list[str]:
    """Traffic with everything in it: sessions, loops, faults, probes, cascades, corrections, silence."""
    chance, clock, made = random.Random(seed), plane.ledger.clock, list[str]()
    assert isinstance(clock, HandClock)
    for number in range(decisions):
        clock.pass_by(chance.expovariate(4.0))
        advice = plane.advise(
            Task(
                type=f"kind-{chance.randrange(kinds)}",
                session=chance.choice((None, f"session-{chance.randrange(5)}")),
                in_tool_loop=chance.random() < 0.1,
                tokens_in=chance.choice((None, 3_000)),
                strengths=chance.choice(((), ("python",))),
                budget_usd=chance.choice((None, None, 0.05)),
            )
        )
        made.append(advice.decision_id)
        ill, kind = number // 60 % 3 == 1 and advice.arm.startswith("acme"), chance.random()
        if ill and kind < 0.8:
            plane.record_result(advice.decision_id, error=chance.choice(("server", "timeout")), latency_ms=4_000.0)
        elif len(advice.plan) > 1:
            passed = chance.random() < 0.6
            plane.record_result(advice.decision_id, step=0, verified=passed, cost_usd=0.002, latency_ms=500.0)
            if not passed:
                plane.record_result(advice.decision_id, step=1, success=kind < 0.7, cost_usd=0.03, latency_ms=900.0)
        elif kind < 0.9:
            plane.record_result(advice.decision_id, success=kind < 0.6, latency_ms=600.0, cost_usd=0.01)
            if kind < 0.05:
                plane.record_result(advice.decision_id, success=False, latency_ms=600.0, cost_usd=0.01)
        if number % 7 == 0:
            plane.flush()
            plane.folder.catch_up()
    plane.flush()
    return made


def plain(plane: ControlPlane, decisions: int, seed: int, settle: int = 10) -> None:
    """Independent tasks whose outcome depends on the arm alone."""
    chance, clock = random.Random(seed), plane.ledger.clock
    assert isinstance(clock, HandClock)
    for number in range(decisions):
        clock.pass_by(0.5)
        advice = plane.advise(Task(type="kind", candidates=tuple(RATES)))
        plane.record_result(
            advice.decision_id,
            success=chance.random() < RATES[advice.arm],
            cost_usd=0.01 * (1 + list(RATES).index(advice.arm)),
            latency_ms=500.0,
        )
        if number % settle == 0:
            plane.flush()
            plane.folder.catch_up()
    plane.flush()


@pytest.fixture
def lived(open_plane: Open) -> ControlPlane:
    plane = open_plane()
    live(plane, 500)
    return plane


@pytest.mark.requirement("GOV-54")
@pytest.mark.parametrize("policy", [Policy(), None], ids=["named", "as recorded"])
def test_the_recorded_policy_gives_the_very_paths_of_the_log(lived: ControlPlane, policy: Policy | None) -> None:
    told: list[Told] = []
    found = lived.simulate(policy, told=told.append)
    recorded = {
        row.event.decision: row.event.path_hash
        for row in lived.ledger.read(0, 100_000)
        if isinstance(row.event, AdviceGiven)
    }
    assert {one.decision: one.path_hash for one in told} == recorded
    assert (found.total, found.accepted, found.rejections, found.same_arm) == (500, 500, {}, 500)
    assert (found.provenance.replayed, found.provenance.repeated) == (500, 500)
    assert (lived.replay().decisions, lived.replay().parity) == (500, 1.0)
    success = found.estimates["success"]
    for name in ("value", "low", "high"):
        assert getattr(success.ips, name) == pytest.approx(getattr(success.recorded, name))


def test_another_policy_takes_other_paths(lived: ControlPlane) -> None:
    told: list[Told] = []
    found = lived.simulate(Policy(success_value_usd=0.01), told=told.append)
    assert found.same_arm < 500
    assert found.rejections == {}
    assert all(math.fsum(one.chances.values()) == pytest.approx(1.0) for one in told)
    assert {one.arm for one in told} <= {arm.name for arm in ARMS}


@pytest.mark.requirement("GOV-19", "GOV-20", "GOV-21")
def test_the_report_adds_up(lived: ControlPlane) -> None:
    found = lived.simulate(Policy(success_value_usd=1.0))
    assert found.total == found.accepted + found.rejected == 500
    assert found.acceptance_ratio == 1.0
    assert found.outcomes_known == found.estimates["success"].known < 500
    assert found.corrections > 0
    assert found.fidelity.level == "degraded"
    assert found.provenance.signed_upto >= found.provenance.until
    for shares in (found.choices, found.choices_before):
        assert math.fsum(share for arms in shares.values() for share in arms.values()) == pytest.approx(500.0)
    assert 0.0 < found.overlap.effective <= 500.0
    for one in found.estimates.values():
        for estimate in (one.recorded, one.ips, one.snips, one.dr, one.delta):
            assert estimate.low <= estimate.value <= estimate.high
    facts = msgspec.json.decode(msgspec.json.encode(found.as_facts()))
    assert facts["passed"] is found.passed


@pytest.mark.requirement("FG-06-3", "ROUTER-28")
def test_the_report_holds_the_tails_and_what_they_cost(open_plane: Open) -> None:
    plane = open_plane()
    for number in range(120):
        decision = plane.advise(Task(type="kind", override="acme/strong" if number % 2 else "acme/cheap")).decision_id
        plane.record_result(decision, success=True, latency_ms=9_000.0 if number % 2 else 300.0, cost_usd=0.01)
        plane.flush()
        plane.folder.catch_up()
    latency = plane.simulate(Policy(floor=0.4)).latency
    assert latency.arms["acme/strong"].p95 == pytest.approx(9_000.0, rel=0.02)
    assert latency.arms["acme/cheap"].p99 == pytest.approx(300.0, rel=0.02)
    assert latency.recorded.p95 == pytest.approx(9_000.0, rel=0.02)
    assert (latency.within_p95, latency.p99_limit_ms) == (False, 3_500.0)
    assert latency.tail_terms["acme/strong"].mean_usd < 0.0
    assert "acme/cheap" not in latency.tail_terms


@pytest.mark.requirement("GOV-19")
@pytest.mark.parametrize(
    ("request_", "signed", "reason", "rejected"),
    [
        (SimulationRequest(trace_ids_required=True), Signed(10**9, valid=True), "missing_trace_id", None),
        (SimulationRequest(minimum_fidelity="live"), Signed(10**9, valid=True), "fidelity_below_minimum", None),
        (SimulationRequest(), Signed(10**9, valid=False), "invalid_signature", 500),
        (SimulationRequest(signing_mode="require-signed"), Signed(0, valid=False), "unsigned_event", 500),
    ],
)
def test_what_is_no_evidence_is_rejected_with_its_reason(
    lived: ControlPlane, request_: SimulationRequest, signed: Signed, reason: str, rejected: int | None
) -> None:
    found = simulated(lived, Policy(), request_, signed)
    assert list(found.rejections) == [reason]
    assert found.rejections[reason].count == found.rejected == (rejected or found.rejected) > 0
    assert len(found.rejections[reason].samples) == min(SAMPLES, found.rejected)
    assert found.accepted == 500 - found.rejected
    assert not found.passed
    assert found.risk.level == "high"


def test_what_a_mode_does_not_ask_for_rejects_nothing(lived: ControlPlane) -> None:
    for mode in ("off", "allow-unsigned"):
        assert simulated(lived, Policy(), SimulationRequest(signing_mode=mode), Signed(0, valid=False)).rejected == 0


def simulated(plane: ControlPlane, policy: Policy | None, request: SimulationRequest, signed: Signed) -> Simulation:
    return plane._history().simulate(policy, request, signed)


@pytest.mark.requirement("GOV-19")
def test_decisions_without_inputs_are_no_evidence(open_plane: Open) -> None:
    plane = open_plane(flags=flags(OPENCODE_REPLAY_CAPTURE="false"))
    live(plane, 30)
    found = plane.simulate(Policy())
    assert found.rejections["inputs_not_captured"].count == 30
    assert found.estimates == {}
    assert found.risk.inconclusive


@pytest.mark.requirement("GOV-19")
def test_only_the_events_that_are_asked_for_are_judged(lived: ControlPlane) -> None:
    decisions = [row.event.decision for row in lived.ledger.read(0, 100_000) if isinstance(row.event, AdviceGiven)]
    found = lived.simulate(Policy(), request=SimulationRequest(events=(*decisions[100:120], "nobody's")))
    assert (found.total, found.accepted) == (21, 20)
    assert found.rejections["unknown_event"].samples == ["nobody's"]


def test_a_stretch_of_the_log_is_judged_on_the_past_before_it(lived: ControlPlane) -> None:
    positions = [row.position for row in lived.ledger.read(0, 100_000) if isinstance(row.event, AdviceGiven)]
    found = lived.simulate(Policy(), since=positions[200], until=positions[299])
    assert (found.total, found.accepted, found.same_arm) == (100, 100, 100)


def test_a_chance_that_was_not_the_true_one_is_no_evidence(lived: ControlPlane) -> None:
    def forged() -> Iterator[list[Row]]:
        for chunk in lived._history().chunks():
            yield [Row(*each[:4], each[4].replace(b'"propensity":', b'"propensity":0.5,"was":')) for each in chunk]

    request, signed = SimulationRequest(), Signed(10**9, valid=True)
    found = Simulator(forged, lived.ledger.catalogue, Policy(), request, signed).simulate()
    assert found.rejections["propensity_differs"].count > 0
    assert not found.passed


@pytest.mark.parametrize("waiting", [20, 65_536])
def test_a_correction_replaces_what_was_said(open_plane: Open, monkeypatch: pytest.MonkeyPatch, waiting: int) -> None:
    monkeypatch.setattr("control_plane.router.simulation.WAITING", waiting)
    plane = open_plane(catalogue=ARMS[:3])
    for _ in range(60):
        decision = plane.advise(Task(type="kind")).decision_id
        plane.record_result(decision, success=False, cost_usd=5.0, latency_ms=10.0)
        plane.record_result(decision, success=True, cost_usd=1.0, latency_ms=10.0)
    found = plane.simulate(None)
    assert (found.estimates["success"].recorded.value, found.estimates["cost_usd"].recorded.value) == (1.0, 1.0)
    assert (found.corrections, found.outcomes_known) == (60, 60)


def test_a_policy_that_breaks_a_strategy_is_told_so(lived: ControlPlane) -> None:
    found = lived.simulate(Policy(levels=0))
    assert found.rejections["policy_failed"].count > 0
    assert found.risk.level == "high"


def test_breakers_and_tails_of_another_policy_are_those_of_a_log_folded_under_it(lived: ControlPlane) -> None:
    other = Policy(tail=TailPolicy(p95_limit_ms=550.0), breaker=BreakerPolicy(consecutive=9))
    history = lived._history()
    simulator = Simulator(history.chunks, lived.ledger.catalogue, other, SimulationRequest(), Signed(10**9, valid=True))
    simulator.simulate()
    assert simulator._twin is not None
    twin, alone = simulator._twin.state, type(simulator._twin.state)()
    for _, event in history.events():
        if isinstance(event, CatalogueDeclared):
            fold(alone, msgspec.structs.replace(event, policy=other))
        elif event.TOPIC.startswith("router."):
            fold(alone, event)
    for field in ("tails", "penalties", "breakers", "held", "beliefs", "seen"):
        assert msgspec.json.encode(getattr(twin, field)) == msgspec.json.encode(getattr(alone, field)), field


@pytest.mark.requirement("GOV-20")
def test_estimates_of_a_real_log_contain_the_truth(open_plane: Open) -> None:
    plane = open_plane(policy=CURIOUS)
    plain(plane, 600, 5)
    found = plane.simulate(Policy(floor=0.9))
    success, truth = found.estimates["success"], truth_of(found.choices)
    # Which arms are drawn differs from run to run: six standard errors, which no run leaves.
    assert abs(success.dr.value - truth) <= 3.0 * (success.dr.high - success.dr.value)
    assert success.dr.high - success.dr.low < 0.2


@pytest.mark.long
@pytest.mark.requirement("GOV-53")
def test_intervals_cover_the_truth_of_real_logs(open_plane: Open) -> None:
    covered: dict[str, list[bool]] = {"ips": [], "snips": [], "dr": [], "delta": []}
    for seed in range(200):
        # The same draws each time: a seed that is set, and every decision made from a settled past.
        with open_plane(policy=CURIOUS, flags=flags(OPENCODE_REPLAY_SEED=f"log-{seed}")) as plane:
            plain(plane, 300, seed, settle=1)
            found = plane.simulate(Policy(floor=0.9))
        success, truth = found.estimates["success"], truth_of(found.choices)
        for name in ("ips", "snips", "dr"):
            one = getattr(success, name)
            covered[name].append(one.low <= truth <= one.high)
        difference = truth - truth_of(found.choices_before)
        covered["delta"].append(success.delta.low <= difference <= success.delta.high)
    shares = {name: fmean(every) for name, every in covered.items()}
    assert min(shares.values()) >= 0.93, shares


def truth_of(choices: dict[str, dict[str, float]]) -> float:
    arms = choices["kind"]
    return math.fsum(share * RATES[arm] for arm, share in arms.items()) / math.fsum(arms.values())


def test_another_seed_draws_other_arms_from_the_same_chances(open_plane: Open) -> None:
    plane = open_plane(policy=CURIOUS)
    plain(plane, 100, 2)
    same = plane.simulate(None)
    other = plane.simulate(None, request=SimulationRequest(replay_seed="again"))
    assert other.same_arm < same.same_arm == 100
    assert other.choices == same.choices

"""One result, however far off its figures are, is one result."""

import json

import pytest

from control_plane import Arm, ControlPlane, Policy, Task
from control_plane.errors import BadInput
from control_plane.rooms import CATALOGUE
from control_plane.router.events import CatalogueDeclared, ResultRecorded
from control_plane.router.projection import ROUTER
from control_plane.router.state import RouterState, fold
from control_plane.router.terms import Arms

FIX = Task(type="code.fix")
TWINS = (Arm("a", price_in=1.0, price_out=1.0, prior=0.6), Arm("b", price_in=1.0, price_out=1.0, prior=0.6))
FAR_OFF = [
    {"cost_usd": 1e308},
    {"cost_usd": 1_000_001},
    {"latency_ms": 1e10},
    {"ttft_ms": 1e10},
    {"tokens_in": 10**13},
    {"tokens_out": 10**300},
    {"retry_after_s": 1e12},
]


def mean_cost(plane: ControlPlane, arm: str) -> float:
    tally = plane.folder.state(ROUTER).beliefs.arms[arm].types[FIX.type].tally
    return tally.cost / tally.paid


@pytest.mark.parametrize("told", FAR_OFF, ids=str)
def test_a_figure_that_nobody_can_have_is_refused_before_anything_is_written(open_plane, told):
    plane = open_plane(catalogue=TWINS)
    before = plane.ledger.size()
    with pytest.raises(BadInput, match="leave it out") as refused:
        plane.record_result(arm="a", task=FIX, success=True, **told)
    assert refused.value.code == "input.invalid"
    plane.flush()
    assert plane.ledger.size() == before


def test_the_highest_figures_that_somebody_may_have_are_taken(open_plane):
    plane = open_plane(catalogue=TWINS)
    plane.record_result(arm="a", task=FIX, cost_usd=1e6, latency_ms=1e9, ttft_ms=1e9, tokens_in=10**12, tokens_out=0)
    plane.flush()
    assert plane.stats().results == 1


def test_figures_that_were_stored_before_there_were_bounds_teach_nothing(open_plane):
    plane = open_plane(catalogue=TWINS, policy=Policy(success_value_usd=2.0))
    wild = [
        ResultRecorded(
            at=1.0, arm="a", task_type=FIX.type, success=True, **{name: float(value) for name, value in told.items()}
        )
        for told in FAR_OFF
    ]
    plane.ledger.append("router", wild)
    for _ in range(60):
        plane.record_result(arm="a", task=FIX, success=False, cost_usd=0.02)
        plane.record_result(arm="b", task=FIX, success=True, cost_usd=0.02)
    plane.flush()
    found = plane.explain(plane.advise(FIX).decision_id).contenders
    assert found[0].arm == "b"
    assert found[0].chance > 0.7
    assert mean_cost(plane, "a") == pytest.approx(0.02)
    assert all(abs(one.score) < 100 for one in found)
    plane.flush()
    assert plane.replay().parity == 1.0


def test_a_run_of_a_thousand_times_the_usual_cost_hardly_moves_what_an_arm_is_expected_to_cost(open_plane):
    plane = open_plane(catalogue=TWINS)
    for number in range(100):
        plane.record_result(arm="a", task=FIX, success=True, cost_usd=0.02)
        plane.record_result(arm="b", task=FIX, success=number % 2 == 0, cost_usd=0.02)
    plane.flush()
    plane.record_result(arm="a", task=FIX, success=True, cost_usd=20.0)
    plane.flush()
    assert mean_cost(plane, "a") < 0.03
    found = plane.explain(plane.advise(FIX).decision_id).contenders
    assert found[0].arm == "a"
    assert found[0].chance > 0.7


def test_an_arm_that_became_dearer_is_known_to_be_after_a_few_runs(open_plane):
    plane = open_plane(catalogue=TWINS)
    for _ in range(20):
        plane.record_result(arm="a", task=FIX, success=True, cost_usd=0.01)
    for _ in range(12):
        plane.record_result(arm="a", task=FIX, success=True, cost_usd=5.0)
    plane.flush()
    assert mean_cost(plane, "a") > 1.0


def test_a_correction_takes_back_exactly_what_a_wild_cost_had_taught(open_plane):
    plane = open_plane(catalogue=TWINS)
    plane.record_result(arm="a", task=FIX, success=True, cost_usd=0.25)
    decision = plane.advise(Task(type=FIX.type, override="a")).decision_id
    plane.record_result(decision, success=True, cost_usd=900.0)
    plane.flush()
    assert mean_cost(plane, "a") > 1.0
    plane.record_result(decision, success=True, cost_usd=0.25)
    plane.flush()
    assert mean_cost(plane, "a") == 0.25
    plane.record_result(decision, success=True, cost_usd=0.25)
    plane.flush()
    assert (plane.stats().results, plane.stats().corrections) == (3, 1)


def test_a_log_in_which_costs_counted_in_full_is_read_as_it_was():
    """Its decisions must come out the same."""
    state = RouterState()
    told = {
        "v": 1, "at": 1.0, "arms": [{"name": "a", "price_in": 1.0, "price_out": 1.0}], "policy": {"price_runs": 1.0},
        "policy_hash": "", "environment": {}, "declared": "d",
    }  # fmt: skip
    declared = CATALOGUE.decode(CatalogueDeclared.TOPIC, json.dumps(told).encode())
    assert isinstance(declared, CatalogueDeclared)
    fold(state, declared)
    fold(state, ResultRecorded(at=2.0, arm="a", task_type=FIX.type, success=True, cost_usd=900.0))
    assert state.beliefs.arms["a"].total.cost == 900.0


@pytest.mark.parametrize("traits", [{"price_in": 1e10}, {"price_out": float("nan")}, {"prior": 7}], ids=str)
def test_an_arm_is_refused_where_it_is_made(traits):
    with pytest.raises(BadInput, match="of x is"):
        Arm("x", **traits)
    with pytest.raises(BadInput, match="name"):
        Arm("")


@pytest.mark.parametrize("field", ["success_value_usd", "time_value_usd_per_s", "price_guess"])
def test_a_policy_whose_figures_have_no_end_is_refused(field):
    with pytest.raises(BadInput, match=field):
        Policy(**{field: 1e300})
    assert Arms((Arm("x"),)).all

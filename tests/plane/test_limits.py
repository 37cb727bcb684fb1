"""Prices that are stated, missing or nothing; limits that somebody meets, and limits that nobody can."""

import msgspec
import pytest

from control_plane import Arm, Task
from control_plane.rooms import CATALOGUE
from control_plane.router.catalogue import as_toml, read_settings
from control_plane.router.events import CatalogueDeclared
from control_plane.router.terms import Arms, Policy

FREE = Arm("local/free", price_in=0.0, price_out=0.0)
PAID = Arm("acme/paid", price_in=1.0, price_out=4.0, tools=("bash",))
SILENT = Arm("acme/silent")
PRICED = (FREE, PAID, SILENT)
FIX = Task(type="code.fix")


def contenders(plane, task=FIX):
    return {one.arm: one for one in plane.explain(plane.advise(task).decision_id).contenders}


def test_a_stated_price_of_nothing_is_nothing(open_plane):
    plane = open_plane(catalogue=PRICED)
    found = contenders(plane)
    assert found["local/free"].cost == 0.0
    assert not found["local/free"].guessed
    advice = plane.advise(Task(type="code.fix", budget_usd=0.001))
    assert (advice.arm, advice.should_pause) == ("local/free", False)


def test_a_guessed_price_is_shown_as_a_guess_until_a_run_tells_it(open_plane):
    plane = open_plane(catalogue=PRICED)
    assert [one.guessed for one in contenders(plane).values()].count(True) == 1
    guess = "price unknown, taken as $0.16"
    assert guess in plane.advise(Task(type="code.fix", override="acme/silent")).reasons
    tight = plane.advise(Task(type="code.fix", budget_usd=0.1))
    assert f"acme/silent: {guess}, over the budget of $0.1" in tight.warnings
    plane.record_result(arm="acme/silent", task=FIX, success=True, cost_usd=0.05)
    plane.flush()
    found = contenders(plane)["acme/silent"]
    assert not found.guessed
    assert guess not in plane.advise(Task(type="code.fix", override="acme/silent")).reasons
    plane.flush()
    assert plane.replay().parity == 1.0


def test_a_settings_file_keeps_a_price_of_nothing(tmp_path):
    (tmp_path / "control-plane.toml").write_text(as_toml(PRICED))
    settings = read_settings(tmp_path)
    assert settings is not None
    assert settings.arms == PRICED


def test_in_a_log_from_before_no_price_meant_that_none_is_known():
    arms = [msgspec.to_builtins(Arm(name, price_in=price, price_out=price)) for name, price in (("a", 0.0), ("b", 1.0))]
    told = {
        "v": 1, "at": 1.0, "arms": arms, "policy": msgspec.to_builtins(Policy()), "policy_hash": "", "environment": {},
        "declared": "",
    }  # fmt: skip
    declared = CATALOGUE.decode(CatalogueDeclared.TOPIC, msgspec.json.encode(told))
    assert isinstance(declared, CatalogueDeclared)
    known = Arms(declared.arms).by_name
    assert (known["a"].price_in, known["b"].price_in) == (None, 1.0)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            {"budget_usd": 0.0001},
            "no arm fits the budget of $0.0001; the nearest is local/free: costs about",
        ),
        ({"deadline_ms": 1.0}, "no arm fits the deadline of 1 ms; the nearest is acme/paid: takes about 0.9 s"),
        ({"required_tools": ("saw",)}, "no arm has saw; every arm was allowed"),
        ({"tokens_in": 10**9}, "no arm has room for 1,073,741,824 tokens; the largest is acme/paid with 50,000"),
    ],
    ids=str,
)
def test_a_limit_that_nobody_meets_is_said_and_is_a_reason_to_pause(open_plane, limits, said):
    plane = open_plane(catalogue=[Arm("local/free", context=100), msgspec.structs.replace(PAID, context=50_000)])
    for arm, cost, latency in (("local/free", 0.04, 1500.0), ("acme/paid", 0.08, 900.0)):
        for _ in range(400):
            plane.record_result(arm=arm, task=FIX, success=True, cost_usd=cost, latency_ms=latency)
        plane.flush()
    advice = plane.advise(Task(type="code.fix", **limits))
    assert advice.should_pause
    assert [warning for warning in advice.warnings if warning.startswith(said)]
    assert not [warning for warning in advice.warnings if "lacks" in warning or "do not fit" in warning]
    found = plane.explain(advice.decision_id)
    assert found.unmet == tuple([warning for warning in advice.warnings if warning.startswith("no arm")])
    # What was learned of just this task does not hide it.
    assert plane.advise(Task(type="code.fix", attempt=2, **limits)).should_pause


def test_two_limits_that_only_different_arms_meet_are_named_together(open_plane):
    plane = open_plane(catalogue=[SILENT, PAID])
    for arm, cost, latency in (("acme/silent", 0.01, 9000.0), ("acme/paid", 5.0, 100.0)):
        for _ in range(40):
            plane.record_result(arm=arm, task=FIX, success=True, cost_usd=cost, latency_ms=latency)
        plane.flush()
    (said, *_) = plane.advise(Task(type="code.fix", budget_usd=0.1, deadline_ms=1000.0)).warnings
    assert said.startswith("no arm fits the budget of $0.1 and the deadline of 1000 ms; the nearest is acme/silent")


def test_a_limit_that_somebody_meets_is_no_reason_to_pause(open_plane):
    plane = open_plane(catalogue=PRICED)
    advice = plane.advise(Task(type="code.fix", budget_usd=0.1, required_tools=("bash",)))
    assert (advice.arm, advice.should_pause) == ("acme/paid", False)

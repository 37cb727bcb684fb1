"""How a plane chooses: priorities, what is learned, whom it stays with, what it says of it."""

from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Policy, Task
from control_plane.errors import SettingsError
from control_plane.flags import read_flags
from control_plane.proving import flags
from control_plane.router.projection import ROUTER
from tests.plane.conftest import ARMS

FIX = Task(type="code.fix", repo="acme/api")
CERTAIN = Policy(floor=0.0, levels=1)


def teach(plane: ControlPlane, arm: str, wins: int, losses: int = 0, *, task: Task = FIX, **told) -> None:
    """Wins and losses evenly mixed: a block of losses would be taken for a change."""
    runs = wins + losses
    for number in range(runs):
        success = (number + 1) * wins // runs > number * wins // runs
        plane.record_result(arm=arm, task=task, success=success, **told)
    plane.flush()


def learned(plane: ControlPlane, arm: str, task: Task) -> float:
    """The success that is believed of an arm for a task, as its reasons say."""
    decision = plane.advise(task).decision_id
    (found,) = [one for one in plane.explain(decision).contenders if one.arm == arm]
    return found.success


@pytest.mark.requirement("ROUTER-03")
def test_arms_come_from_code(open_plane):
    assert open_plane(catalogue=[Arm("only/one")]).advise(FIX).arm == "only/one"


@pytest.mark.requirement("ROUTER-04")
def test_arms_come_from_the_settings_file(open_plane, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("control-plane.toml").write_text(
        '[policy]\nsuccess_value_usd = 3.0\n[[arms]]\nname = "a/cheap"\n[[arms]]\nname = "b/strong"\nprior = 0.9\n'
        '[[arms]]\nname = "both"\nsteps = [["a/cheap", "tests"], ["b/strong"]]\n'
    )
    plane = open_plane(catalogue=None)
    assert not plane.example
    assert {one.arm for one in plane.explain(plane.advise(FIX).decision_id).contenders} == {
        "a/cheap",
        "b/strong",
        "both",
    }
    assert [step.verifier for step in plane.advise(Task(type="x", override="both")).plan] == ["tests", None]


@pytest.mark.parametrize("content", ["arms = [3]", '[[arms]]\nname = "a"\nsteps = 3', "arms", "[[arms]]\nprior = 1"])
def test_a_settings_file_that_makes_no_sense_is_named(open_plane, tmp_path: Path, monkeypatch, content: str):
    monkeypatch.chdir(tmp_path)
    Path("control-plane.toml").write_text(content)
    with pytest.raises(SettingsError, match=r"control-plane\.toml"):
        open_plane(catalogue=None)


@pytest.mark.requirement("ROUTER-07")
def test_a_fresh_machine_gets_advice_from_an_example_that_says_so(open_plane, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plane = open_plane(catalogue=None)
    assert plane.example
    assert plane.advise(FIX).arm


@pytest.mark.requirement("ROUTER-08")
def test_strategies_apply_by_priority(open_plane):
    plane = open_plane()
    assert plane.advise(Task(type="x", override="acme/cheap", session="new")).strategy == "manual-override"
    for number in range(3):
        decision = plane.advise(Task(type="x", session="stuck")).decision_id
        plane.record_result(decision, success=False, cost_usd=number)
    assert plane.advise(Task(type="x", session="stuck")).strategy == "perspective-switch"
    assert plane.advise(Task(type="x", session="stuck", override="acme/cheap")).strategy == "manual-override"
    assert plane.advise(Task(type="x")).strategy == "learned"
    teach(plane, "acme/cheap", 40)
    assert plane.advise(Task(type="code.fix", repo="brand/new")).strategy == "project-start"
    assert plane.advise(FIX).strategy == "learned"
    names = [strategy.name for strategy in plane._router.strategies]
    assert names == [
        "manual-override", "project-start", "perspective-switch", "learned", "fallback-layer", "last-resort",
    ]  # fmt: skip


@pytest.mark.requirement("ROUTER-14")
def test_a_success_counts_most_where_it_was_and_less_elsewhere(open_plane):
    plane = open_plane()
    teach(plane, "acme/cheap", 40)
    here = learned(plane, "acme/cheap", FIX)
    same_type = learned(plane, "acme/cheap", Task(type="code.fix", repo="other/repo"))
    elsewhere = learned(plane, "acme/cheap", Task(type="docs.write", repo="other/repo"))
    assert 1.0 > here > same_type > elsewhere > 0.5


@pytest.mark.requirement("ROUTER-15")
def test_what_a_success_is_worth_decides_between_dear_and_cheap(open_plane, tmp_path: Path):
    arms = [Arm("dear"), Arm("cheap")]
    for value, best in ((10.0, "dear"), (0.2, "cheap")):
        policy = Policy(success_value_usd=value, floor=0.0)
        with ControlPlane.open(tmp_path / best, catalogue=arms, policy=policy, background=False) as plane:
            teach(plane, "dear", 90, 10, cost_usd=0.3, latency_ms=1000)
            teach(plane, "cheap", 70, 30, cost_usd=0.01, latency_ms=1000)
            taken = [plane.advise(FIX).arm for _ in range(50)]
            assert taken.count(best) > 40
    slow = Policy(success_value_usd=10.0, time_value_usd_per_s=1.0, tail_slo=False)
    with ControlPlane.open(tmp_path / "slow", catalogue=arms, policy=slow, background=False) as plane:
        teach(plane, "dear", 90, 10, cost_usd=0.3, latency_ms=60_000)
        teach(plane, "cheap", 70, 30, cost_usd=0.01, latency_ms=1000)
        assert [plane.advise(FIX).arm for _ in range(20)].count("cheap") > 15


@pytest.mark.requirement("ROUTER-16", "ROUTER-19")
def test_a_session_stays_with_its_arm_until_another_is_clearly_better(open_plane):
    plane = open_plane(catalogue=[Arm("a"), Arm("b")], policy=Policy(incumbent_explore=0.0, floor=0.0))
    teach(plane, "a", 60, 40)
    assert plane.advise(Task(type="code.fix", repo="acme/api", session="s", override="a")).arm == "a"
    teach(plane, "b", 62, 38)
    stays = [plane.advise(Task(type="code.fix", repo="acme/api", session="s")).arm for _ in range(20)]
    assert stays == ["a"] * 20
    teach(plane, "b", 400, 0)
    assert plane.advise(Task(type="code.fix", repo="acme/api", session="s")).arm == "b"


@pytest.mark.requirement("ROUTER-17")
def test_every_choice_has_its_exact_chance_on_record(plane):
    told = {}
    for _ in range(200):
        advice = plane.advise(FIX)
        told.setdefault(advice.ledger_position, {})[advice.arm] = advice.propensity
    assert all(0.0 < chance <= 1.0 for chances in told.values() for chance in chances.values())
    explanation = plane.explain(plane.advise(FIX).decision_id)
    assert sum(one.chance for one in explanation.contenders) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.requirement("ROUTER-18")
def test_nothing_is_tried_out_inside_a_tool_loop(plane):
    first = plane.advise(Task(type="code.fix", session="loop"))
    for _ in range(50):
        inside = plane.advise(Task(type="code.fix", session="loop", in_tool_loop=True))
        assert (inside.arm, inside.propensity) == (first.arm, 1.0)


@pytest.mark.requirement("ROUTER-20", "ROUTER-21")
def test_a_cascade_is_chosen_when_its_verifier_proves_good(open_plane):
    plane = open_plane(catalogue=[
        Arm("cheap", price_in=0.1), Arm("strong", price_in=20.0),
        Arm.cascade("both", [("cheap", "tests"), ("strong", None)]),
    ])  # fmt: skip
    for number in range(60):
        good = number % 3 > 0
        decision = plane.advise(Task(type="t", override="both")).decision_id
        plane.record_result(decision, step=0, verified=good, success=good, cost_usd=0.01)
        if not good:
            plane.record_result(decision, step=1, success=True, cost_usd=0.5)
        plane.record_result(arm="cheap", task=Task(type="t"), success=good, cost_usd=0.01)
        plane.record_result(arm="strong", task=Task(type="t"), success=True, cost_usd=0.5)
    plane.flush()
    book = plane.folder.state(ROUTER).beliefs.verifiers["tests"]
    assert book.sensitivity > 0.95
    assert book.false_alarm < 0.1
    assert [plane.advise(Task(type="t")).arm for _ in range(30)].count("both") > 25


@pytest.mark.requirement("ROUTER-27")
def test_a_slow_tail_is_named_in_the_reasons_and_in_a_tool_loop_among_the_filters(open_plane, clock):
    plane = open_plane(catalogue=[Arm("slow", prior=0.9), Arm("quick", prior=0.2)])
    for _ in range(60):
        clock.time += 1.0
        plane.record_result(arm="slow", task=FIX, success=True, latency_ms=30_000)
    plane.record_result(arm="quick", task=FIX, success=True, latency_ms=300)
    plane.flush()
    advice = plane.advise(Task(type="code.fix", override="slow"))
    plane.record_result(advice.decision_id, success=True, latency_ms=30_000)
    taken = [plane.advise(FIX) for _ in range(50)]
    assert any("slow tail worth" in reason for one in taken if one.arm == "slow" for reason in one.reasons)
    loop = plane.advise(Task(type="code.fix", in_tool_loop=True))
    assert loop.arm == "quick"
    assert any("p95 above 2200 ms" in warning for warning in loop.warnings)


def test_work_that_takes_minutes_is_no_fault_of_an_arm(open_plane, clock):
    plane = open_plane(catalogue=[Arm("a", prior=0.9), Arm("b", prior=0.2), Arm("c", prior=0.2)])
    for arm, count in (("a", 60), ("b", 2)):
        for _ in range(count):
            clock.time += 60.0
            plane.record_result(arm=arm, task=FIX, success=arm == "a", latency_ms=60_000)
    plane.flush()
    assert [plane.advise(FIX).arm for _ in range(50)].count("a") > 40
    assert plane.advise(Task(type="code.fix", in_tool_loop=True)).arm == "a"


@pytest.mark.requirement("ROUTER-29", "ROUTER-34", "ROUTER-35")
def test_everybody_down_is_said_and_somebody_is_served(open_plane, clock):
    plane = open_plane()
    for arm in ("acme/strong", "acme/cheap", "other/middle"):
        for _ in range(30):
            clock.time += 0.01
            plane.record_result(arm=arm, task=FIX, error="connection")
    plane.flush()
    cooled = {status.name: status for status in plane.stats().cooled}
    assert {"acme/strong", "acme/cheap", "other/middle"} & set(cooled)
    assert all(status.reason and status.until > clock.time for status in cooled.values())
    plane.flush()
    moved = [row for row in plane.ledger.rows() if row[3] == "router.breaker-moved"]
    assert len(moved) >= len(cooled)
    assert plane.advise(FIX).arm in {arm.name for arm in ARMS}


@pytest.mark.requirement("ROUTER-30", "ROUTER-43")
def test_an_outage_acts_on_the_next_decision_of_every_process(open_plane, clock):
    here, there = open_plane(), open_plane()
    assert there.advise(Task(type="code.fix", override="acme/strong")).arm == "acme/strong"
    for _ in range(30):
        here.record_result(arm="acme/strong", task=FIX, error="connection")
    here.flush()
    there.folder.catch_up()
    for plane in (here, there):
        assert plane.advise(FIX).arm != "acme/strong"
        assert any("acme/strong: cooled" in warning for warning in plane.advise(FIX).warnings)


@pytest.mark.requirement("ROUTER-41")
def test_the_model_that_was_really_served_is_on_record(plane):
    advice = plane.advise(FIX)
    plane.record_result(advice.decision_id, success=True, model_served="acme/strong-2026")
    plane.flush()
    (event,) = [found.event for found in plane.ledger.read() if found.event.TOPIC == "router.result-recorded"]
    assert (event.arm, event.model_served) == (advice.arm, "acme/strong-2026")


@pytest.mark.requirement("ROUTER-42")
def test_advice_of_one_kind_is_worked_out_once(plane):
    assert not plane.advise(FIX).cached
    assert plane.advise(FIX).cached
    assert not plane.advise(Task(type="code.fix", repo="other/repo")).cached


@pytest.mark.requirement("ROUTER-54", "ROUTER-55")
def test_surroundings_and_parity_are_on_record(plane):
    for _ in range(20):
        plane.record_result(plane.advise(FIX).decision_id, success=True)
    assert plane.stats().replay_parity is None
    assert plane.replay().parity == 1.0
    assert plane.stats().replay_parity == 1.0
    events = [found.event for found in plane.ledger.read()]
    (declared,) = [event for event in events if event.TOPIC == "router.catalogue-declared"]
    assert {"python", "platform", "version", "tail_slo"} <= set(declared.environment)
    assert {event.declared for event in events if event.TOPIC == "router.advice-given"} == {declared.declared}


@pytest.mark.requirement("ROUTER-56", "ROUTER-57", "ROUTER-58")
def test_an_explanation_names_terms_filters_and_what_would_flip_it(open_plane):
    plane = open_plane(policy=CERTAIN)
    teach(plane, "acme/strong", 30, 3, cost_usd=0.05)
    advice = plane.advise(Task(type="code.fix", repo="acme/api", required_tools=("bash",), tokens_in=90_000))
    found = plane.explain(advice.decision_id)
    assert found.arm == advice.arm
    assert dict(found.filtered)["acme/cheap"].endswith("its context of 50,000")
    for one in found.contenders:
        assert one.score == pytest.approx(one.value - one.cost - one.time + one.adjustment)
    assert found.repeated
    assert found.flip is not None
    # What it says would flip the choice does.
    fall = int(found.flip.by * 100) + 5
    teach(plane, found.arm, 0, 40 + fall)
    again = plane.explain(plane.advise(Task(type="code.fix", repo="acme/api", required_tools=("bash",))).decision_id)
    assert again.contenders[0].arm == found.flip.arm


def test_a_brake_in_the_environment_is_a_surrounding(open_plane):
    flags = read_flags({"OPENCODE_TAIL_SLO": "false"}, {})
    plane = open_plane(flags=flags)
    (declared,) = [f.event for f in plane.ledger.read() if f.event.TOPIC == "router.catalogue-declared"]
    assert declared.environment["tail_slo"] == "False"


def test_a_clock_that_is_set_back_makes_advice_from_the_time_ahead_stale(open_plane, clock) -> None:
    plane = open_plane(flags=flags(OPENCODE_LEARNING_INVALIDATION="false"))
    plane.advise(FIX)
    clock.time += 3600.0
    assert not plane.advise(FIX).cached
    assert plane.advise(FIX).cached
    clock.time -= 3600.0
    assert not plane.advise(FIX).cached
    assert plane.advise(FIX).cached

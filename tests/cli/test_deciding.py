"""What the commands that decide, record and explain say to people."""

from pathlib import Path

import pytest

from control_plane import Arm, ControlPlane, Task
from tests.cli.conftest import Run

CATALOGUE = """
[[arms]]
name = "a/first"
price_in = 1.0
price_out = 4.0

[[arms]]
name = "b/second"
"""


@pytest.fixture
def home(tmp_path: Path, project: Path) -> Path:
    (project / "control-plane.toml").write_text(CATALOGUE)
    return tmp_path / "home"


def advised(run: Run, home: Path, *words: str) -> str:
    decision: str = run("advise", "--home", str(home), "--task-type", "code.fix", "--json", *words).json()[
        "decision_id"
    ]
    return decision


def test_an_arm_without_results_has_no_runs_and_a_price_that_nobody_stated_is_marked(run: Run, home: Path) -> None:
    told = run("explain", "--home", str(home), advised(run, home))
    first, second = [line.split() for line in told.out.splitlines() if "a/first" in line or "b/second" in line][:2]
    assert {"a/first", "b/second"} <= {*first, *second}
    assert "prior" in first
    assert "prior" in second
    assert "18" not in first
    (guessed,) = [line for line in (first, second) if "b/second" in line]
    assert "−0.1600?" in guessed
    assert "price unknown, taken as $0.16" in told.out


def test_what_is_not_certain_is_not_a_hundred_per_cent(run: Run, home: Path) -> None:
    for _ in range(12):
        decision = advised(run, home, "--override", "a/first")
        run("record", "--home", str(home), "--decision", decision, "--success", "--cost-usd", "0.01")
        decision = advised(run, home, "--override", "b/second")
        run("record", "--home", str(home), "--decision", decision, "--failure", "--cost-usd", "0.5")
    told = run("explain", "--home", str(home), advised(run, home))
    assert "> 99.9%" in told.out
    assert "100.0%" not in told.out


def test_a_limit_that_nobody_meets_is_said_to_people(run: Run, home: Path) -> None:
    told = run("advise", "--home", str(home), "--task-type", "code.fix", "--budget-usd", "0.0001")
    assert told.code == 0
    assert "pause" in told.out
    assert "no arm fits the budget of $0.0001; the nearest is a/first: costs about $0.028" in told.out


def test_last_is_the_last_decision(run: Run, home: Path) -> None:
    advised(run, home)
    decision = advised(run, home)
    told = run("explain", "--home", str(home), "last", "--json")
    assert (told.code, told.json()["decision"]) == (0, decision)


def test_without_a_decision_there_is_no_last_one(run: Run, home: Path) -> None:
    ControlPlane.open(home).close()
    told = run("explain", "--home", str(home), "last", "--json")
    assert (told.code, told.error()["code"]) == (2, "router.unknown-decision")
    assert "advise" in told.error()["cure"]


@pytest.mark.parametrize("words", [("explain",), ("record", "--success", "--decision")], ids=" ".join)
def test_a_decision_of_another_home_is_said_to_be_one(
    run: Run, home: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ControlPlane.open(home).close()
    decision = advised(run, tmp_path / "other")
    told = run("--home", str(home), "--json", *words, decision)
    assert told.code == 2
    assert "another home" in told.error()["why"]
    assert str(home) in told.error()["why"]


def test_an_empty_log_has_nothing_to_repeat(run: Run, home: Path) -> None:
    ControlPlane.open(home).close()
    told = run("replay", "--home", str(home))
    assert told.code == 0
    assert "nothing to repeat" in told.out
    assert "100" not in told.out


def test_a_result_says_one_thing_and_says_something(run: Run, home: Path) -> None:
    decision = advised(run, home)
    both = run("record", "--home", str(home), "--json", "--decision", decision, "--success", "--failure")
    assert (both.code, both.error()["code"]) == (2, "input.invalid")
    nothing = run("record", "--home", str(home), "--json", "--decision", decision)
    assert (nothing.code, nothing.error()["code"]) == (2, "input.invalid")
    assert "--success" in nothing.error()["cure"]
    assert run("stats", "--home", str(home), "--json").json()["results"] == 0


WRONG = {
    "price": (CATALOGUE.replace("price_in", "prcie_in"), "prcie_in", "did you mean price_in?"),
    "arm": (CATALOGUE.replace("[[arms]]", "[[arm]]"), "arm", "did you mean arms?"),
    "policy": ("[policy]\nsuccess_value = 3.0" + CATALOGUE, "success_value", "did you mean success_value_usd?"),
    "inside a policy": ("[policy.tail]\nworst = 3.0" + CATALOGUE, "worst", "did you mean worse?"),
    "syntax": ("arms = [\n", "line 1", "control-plane.toml"),
    "syntax inside": (CATALOGUE + "price_in 3\n", "line 9, column 10", "control-plane.toml"),
    "prior": (CATALOGUE + "prior = 7", "prior of b/second", "share of tasks"),
    "no arm": ("# nothing yet\n", "names no arm", "[[arms]]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_settings_file_that_is_not_meant_is_refused_with_the_place(
    run: Run, home: Path, project: Path, case: str
) -> None:
    content, named, cure = WRONG[case]
    (project / "control-plane.toml").write_text(content)
    told = run("advise", "--home", str(home), "--task-type", "code.fix", "--json")
    assert (told.code, told.error()["code"]) == (2, "settings.invalid")
    assert named in f"{told.error()['what']} {told.error()['why']}"
    assert cure in f"{told.error()['what']} {told.error()['cure']}"
    assert "control-plane.toml" in told.error()["what"]


def test_in_a_home_of_a_program_its_own_arms_are_chosen_from(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ControlPlane.open(home, catalogue=[Arm("my/one"), Arm("my/other")]) as plane:
        plane.advise(Task(type="t"))
    told = run("advise", "--home", str(home), "--task-type", "t", "--json")
    assert told.json()["arm"].startswith("my/")
    assert "example" not in told.err
    with ControlPlane.open(home) as plane:
        declared = [found.event for found in plane.ledger.read() if found.event.TOPIC == "router.catalogue-declared"]
        assert {arm.name for one in declared for arm in one.arms} == {"my/one", "my/other"}


def test_in_a_home_of_the_example_it_is_still_said_to_be_one(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        told = run("advise", "--home", str(tmp_path / "home"), "--task-type", "t")
        assert "example" in told.err

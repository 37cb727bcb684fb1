"""Small faults are found where they fit, put in one at a time, and counted as killed only where a test fails."""

import json
from pathlib import Path

import mutants
import pytest
from mutants import AREAS, FILE, Area, interval, measured, modules, mutation
from mutating import mutants as faults
from mutating import mutated

SOURCE = '''"""Words."""

LIMIT: int = 3


def within(value: int, strict: bool = True) -> bool:
    """Whether it is small."""
    if value < 0 and strict:
        raise ValueError(f"{value} is {1} too small")
    return value <= LIMIT
'''
TEST = "from ground.rules import within\n\n\ndef test_it():\n    assert within(3)\n"


def test_each_fault_is_put_in_alone_and_words_and_types_are_left_alone() -> None:
    found = faults(SOURCE)
    assert [one.what for one in found] == [
        "3 → 4", "True → False", "if value < 0 and strict: → if not (value < 0 and strict):",
        "value < 0 and strict → value < 0 or strict", "value < 0 → value <= 0", "0 → 1",
        "raise ValueError(f'{value} is {1} too small') → pass", "return value <= LIMIT → return None",
        "value <= LIMIT → value < LIMIT",
    ]  # fmt: skip
    sources = [mutated(SOURCE, one.number) for one in found]
    assert len(set(sources)) == len(found)
    assert all(sum(a != b for a, b in zip(one.splitlines(), mutated_nothing(), strict=True)) == 1 for one in sources)


def mutated_nothing() -> list[str]:
    import ast

    return (ast.unparse(ast.parse(SOURCE))).splitlines()


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    """A project of one module, of which its test sees the last line only."""
    for folder, name, text in (("ground", "rules", SOURCE), ("tests/ground", "test_rules", TEST)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.py").write_text(text)
    return tmp_path


AREA = Area(("ground/*.py",), ("tests/{room}/test_*.py",))


@pytest.mark.requirement("SHIP-51")
def test_what_no_test_fails_on_survives_and_is_named(ground: Path) -> None:
    told = measured("ground", AREA, ground, 4, seed=2)
    assert (told["mutants"], told["sampled"]) == (9, 4)
    assert told["killed"] + len(told["survived"]) == 4
    assert 0 < told["killed"] < 4
    assert {one["module"] for one in told["survived"]} == {"ground/rules.py"}
    assert told["low"] < told["score"] < told["high"]
    assert (ground / "ground" / "rules.py").read_text() == SOURCE


def test_tests_that_fail_without_a_mutant_measure_nothing(ground: Path) -> None:
    (ground / "tests" / "ground" / "test_rules.py").write_text(TEST.replace("within(3)", "within(4)"))
    with pytest.raises(SystemExit, match="test_it fails without any mutant"):
        measured("ground", AREA, ground, 1, seed=1)


@pytest.mark.requirement("SHIP-51")
@pytest.mark.parametrize(
    ("killed", "of", "changed", "state"),
    [(80, 100, False, "holds"), (79, 100, False, "fails"), (100, 100, True, "not run"), (29, 29, False, "not run")],
)
def test_a_score_below_the_bar_fails_and_another_codes_score_is_no_pass(
    ground: Path, monkeypatch: pytest.MonkeyPatch, killed: int, of: int, changed: bool, state: str
) -> None:
    monkeypatch.setattr(mutants, "AREAS", {"ground": AREA})
    low, high = interval(killed, of)
    told = {"mutants": 500, "sampled": of, "killed": killed, "score": killed / of, "low": low, "high": high,
            "sources": mutants.digest(AREA, ground)}  # fmt: skip
    (ground / FILE).write_text(json.dumps({"ground": told}))
    if changed:
        (ground / "ground" / "rules.py").write_text(SOURCE + "\nMORE = 1\n")
    (row,) = mutation(ground, ground)
    assert row.state == state
    assert f"{killed} of {of}" in row.seen


def test_without_a_report_nothing_is_passed(tmp_path: Path) -> None:
    assert {row.state for row in mutation(tmp_path)} == {"not run"}


def test_the_areas_are_the_ledger_and_the_pure_deciders_and_each_has_tests() -> None:
    found = {name: modules(area, mutants.PROJECT) for name, area in AREAS.items()}
    assert {"control_plane/ledger/merkle.py", "control_plane/ledger/journal.py"} <= set(found["ledger"])
    assert {"control_plane/bridge/rules.py", "control_plane/router/state.py"} <= set(found["deciders"])
    for name, area in AREAS.items():
        rooms = {Path(module).parent.name for module in found[name]}
        assert rooms <= {Path(test).parent.name for test in mutants.tests_of(area, mutants.PROJECT)}
    assert "tests/ledger/test_merkle.py" in mutants.tests_of(AREAS["ledger"], mutants.PROJECT)


def test_the_interval_is_wilsons() -> None:
    assert interval(80, 100) == pytest.approx((0.7112, 0.8666), abs=1e-3)
    assert interval(10, 10)[1] == pytest.approx(1.0)

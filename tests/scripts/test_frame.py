"""What holds for every proof: one frame, one template, our bars in the whole form, and a fault that makes it fail."""

import ast
import json
from pathlib import Path

import pytest

from control_plane.evidence import Rollback, at_least, at_most, check
from control_plane.proving import Bars, Findings, Latencies, run_proof
from tests.scripts.proofs import ROOT

PROOFS = sorted([*ROOT.glob("scripts/*/m0_*.py"), *ROOT.glob("scripts/*/fg*.py")])
NAMES = [path.stem for path in PROOFS]


def findings(quick: bool, *, lost: int = 0, took_ms: float = 1.0, validated: bool = True) -> Findings:
    """A proof of the smallest kind."""
    return Findings(
        before=Latencies([0.002]).metrics("an answer, switched off"),
        after=Latencies([0.001]).metrics("an answer"),
        criteria=(at_most("lost", lost, 0), *Bars(quick).at_most("ms of an answer", took_ms, 1.0, seed=50.0)),
        rollback=Rollback(switch="OPENCODE_EXAMPLE=false", validated=validated, result="slower again"),
    )


def run(folder: Path, *words: str, **seen: float) -> int:
    arguments = [*words, "--metrics", str(folder / ".opencode" / "metrics")]
    return run_proof("FG-00", "scripts/perf/fg00_example.py", None, lambda quick: findings(quick, **seen), arguments)


@pytest.mark.requirement("ROUTER-60", "ROUTER-61", "ROUTER-62", "ROUTER-63")
@pytest.mark.parametrize(
    ("words", "seen", "code"),
    [
        ((), {}, 0),
        ((), {"took_ms": 1.1}, 1),
        (("--quick",), {"took_ms": 49.0}, 0),
        (("--quick",), {"took_ms": 51.0}, 1),
        (("--quick",), {"lost": 1}, 1),
        ((), {"lost": 1}, 1),
        ((), {"validated": False}, 1),
    ],
)
def test_a_proof_leaves_evidence_and_fails_with_one_criterion(
    tmp_path: Path, words: tuple[str, ...], seen: dict[str, float], code: int
) -> None:
    assert run(tmp_path, *words, **seen) == code
    (path,) = (tmp_path / ".opencode" / "metrics").glob("fg-00-*.json")
    evidence = check(path)
    assert evidence.green == (code == 0)
    assert evidence.before.of != evidence.after.of
    assert evidence.rollback.switch
    assert [criterion.bar for criterion in evidence.criteria] == ["ours", "the seed's" if words else "ours"]


def test_where_the_seed_has_no_bar_the_short_form_judges_no_time(tmp_path: Path) -> None:
    assert Bars(quick=True).at_most("ms", 7.0, 1.0) == Bars(quick=True).at_least("per second", 1.0, 7.0) == ()
    assert Bars(quick=False).at_least("per second", 1.0, 7.0) == (at_least("per second", 1.0, 7.0),)


def test_the_seeds_bar_is_named_to_readers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--quick")
    assert "ok   ms of an answer: 1.0 (must be <= 50.0, the seed's bar)\n" in capsys.readouterr().out
    run(tmp_path, "--quick", "--json")
    assert json.loads(capsys.readouterr().out)["criteria"][1]["bar"] == "the seed's"


@pytest.mark.requirement("ROUTER-59")
@pytest.mark.parametrize("path", PROOFS, ids=NAMES)
def test_every_proof_stands_in_this_frame_and_on_the_real_system(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "run_proof" in called
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert any(str(module).startswith("control_plane") for module in modules)
    assert not {"unittest.mock", "mock"} & modules


@pytest.mark.requirement("ROUTER-67")
@pytest.mark.parametrize("path", PROOFS, ids=NAMES)
def test_for_every_proof_a_planted_fault_is_seen(path: Path) -> None:
    tests = ROOT / "tests" / "scripts" / f"test_{path.stem.partition('_')[0]}.py"
    asserted = [
        ast.unparse(node.test) for node in ast.walk(ast.parse(tests.read_text())) if isinstance(node, ast.Assert)
    ]
    planted = [text for text in asserted if ".main([" in text and text.endswith("== 1")]
    assert any("fault=" in text or "staggered=" in text for text in planted), f"{tests.name} plants no fault"

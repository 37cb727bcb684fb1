"""The gap report comes from the manifest and from the code, and a gap that is planted is in it."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "edge_cases.toml"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gap_report", PROJECT / "scripts/governance/gap_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.requirement("AUD-01", "AUD-SC-2", "AUD-OUT-1", "RUN-32")
def test_the_report_lists_what_is_open_in_order_of_priority(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main([]) == 0
    told = capsys.readouterr().out
    assert re.findall(r"^## (AUD-0\d)", told, re.MULTILINE) == [f"AUD-0{n}" for n in range(1, 7)]
    planted = [
        {"id": "B-1", "text": "A frame.", "source": "seed 001, phase 5", "open": True},
        {"id": "A-1", "text": "It runs.", "source": "seed 001, core value", "open": True},
        {"id": "A-2", "text": "It is shown.", "source": "seed 001, core value"},
    ]
    found = script.gaps(planted, [], PROJECT / "tests/runner", CASES)
    assert [gap.what for gap in found if gap.audit == "AUD-01"] == ["A-1: It runs.", "B-1: A frame."]


@pytest.mark.requirement("AUD-02", "AUD-03", "AUD-04", "AUD-05", "TEST-01")
def test_what_lacks_words_tests_or_brevity_is_named(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "rooms"
    package.mkdir()
    long = "def walk():\n" + "    pass\n" * 60
    (package / "bad.py").write_text(f"{long}def check():\n    raise BadInput('no')\n")
    monkeypatch.setattr(script, "PROJECT", tmp_path)
    found = {gap.audit: gap.what for gap in script.gaps([], [package], tmp_path, CASES)}
    assert "without why or cure" in found["AUD-02"]
    assert "rooms.bad" in found["AUD-03"]
    assert "says not what it is" in found["AUD-04"]
    assert "walk has 61 lines" in found["AUD-05"]
    monkeypatch.undo()
    runner = [PROJECT / "control_plane/runner", PROJECT / "control_plane/opencode/worker.py"]
    ours = script.gaps([], runner, PROJECT / "tests", CASES)
    assert [gap for gap in ours if gap.audit in ("AUD-02", "AUD-03", "AUD-04", "AUD-05")] == []


@pytest.mark.requirement("AUD-06", "AUD-SC-4")
def test_every_covered_edge_case_names_a_test_that_is_there(script: ModuleType) -> None:
    cases = script.edge_cases(CASES)
    assert any(not one.get("test") for one in cases)
    for one in cases:
        if one.get("test"):
            file, _, name = one["test"].partition("::")
            assert f"def {name}(" in (CASES.parent / file).read_text(encoding="utf-8"), one

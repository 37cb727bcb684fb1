"""`make cover` leaves a report, and names each module of which the tests reach too little."""

import json
import os
import subprocess
import sys
from pathlib import Path

import covered
import pytest

from tests.test_skeleton import PROJECT, recipe

ALL_OF_IT = "def both(it):\n    return 1 if it else 2\n\n\nboth(0), both(1)\n"
HALF_OF_IT = (
    "def both(it):\n    if it:\n        return 1\n    if it == 0:\n        return 2\n    return 3\n\n\nboth(1)\n"
)


@pytest.mark.requirement("TEST-OUT-2")
def test_a_report_is_written_and_names_the_module_that_is_not_reached(tmp_path: Path) -> None:
    package = tmp_path / "control_plane"
    package.mkdir()
    for name, source in {"__init__": "", "whole": ALL_OF_IT, "half": HALF_OF_IT}.items():
        (package / f"{name}.py").write_text(source)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    program = [sys.executable, "-m", "coverage"]
    for words in (["run", "-c", "import control_plane.whole, control_plane.half"], ["combine", "-q"], ["json", "-q"]):
        if words[0] == "run":
            (tmp_path / "main.py").write_text(words[2])
            words = ["run", "main.py"]  # noqa: PLW2901 - coverage runs files
        command = [*program, words[0], f"--rcfile={PROJECT / 'pyproject.toml'}", *words[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env={**clean, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode in (0, 2), done.stdout + done.stderr
    rows = covered.covered(tmp_path / "coverage.json")
    assert [(row.what, row.state) for row in rows] == [
        ("coverage control_plane/half.py", "fails"),
        ("coverage", "fails"),
    ]
    steps = recipe("cover")
    assert steps.index("coverage json") < steps.index("scripts/release/covered.py")


@pytest.mark.requirement("SHIP-50")
@pytest.mark.parametrize(
    ("whole", "module", "branches", "code"),
    [(92.0, 80.1, True, 0), (91.99, 99.0, True, 1), (95.0, 80.0, True, 1), (95.0, 99.0, False, 1)],
    ids=["enough", "all too little", "one too little", "without branches"],
)
def test_too_little_fails(
    tmp_path: Path, whole: float, module: float, branches: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {
        "meta": {"branch_coverage": branches}, "totals": {"percent_covered": whole},
        "files": {"control_plane/one.py": {"summary": {"percent_covered": module}}},
    }  # fmt: skip
    (tmp_path / "coverage.json").write_text(json.dumps(told))
    assert covered.main(["--report", str(tmp_path / "coverage.json")]) == code
    assert "control_plane/one.py" in capsys.readouterr().out or module > covered.MODULE


def test_without_a_report_it_is_no_pass(tmp_path: Path) -> None:
    assert covered.main(["--report", str(tmp_path / "nothing")]) == 3

"""Wheel and sdist are the same each time they are built, and work where only the pinned packages are."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import packages
import pytest
from packages import PROJECT, built_twice, installed

from control_plane import __version__

BUILDS_BY_THE_CLOCK = """
import time
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Clock(BuildHookInterface):
    def initialize(self, version, build_data):
        with open(f"{self.root}/control_plane/built.py", "w") as file:
            file.write(f"BUILT = {time.time_ns()}")
"""


def project(folder: Path, *, init: str = "", command: str = "", hook: str = "") -> Path:
    """A tiny package of the same name, so that something may be wrong with it."""
    (folder / "control_plane").mkdir(parents=True)
    (folder / "control_plane" / "__init__.py").write_text(init)
    (folder / "control_plane" / "cli.py").write_text(command or "def main(): ...\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "opencode-control-plane"\nversion = "0"\n'
        '[project.scripts]\ncontrol-plane = "control_plane.cli:main"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["control_plane"]\n'
        + ('[tool.hatch.build.hooks.custom]\npath = "control_plane/hook.py"\n' if hook else "")
    )
    if hook:
        (folder / "control_plane" / "hook.py").write_text(hook)
    return folder


@pytest.mark.requirement("SHIP-44")
def test_the_build_gives_the_same_bytes_elsewhere_and_at_another_time(tmp_path: Path) -> None:
    rows = built_twice(PROJECT, tmp_path)
    assert [(row.what, row.state) for row in rows] == [
        (f"reproducible opencode_control_plane-{__version__}-py3-none-any.whl", "holds"),
        (f"reproducible opencode_control_plane-{__version__}.tar.gz", "holds"),
    ]
    sums = dict(reversed(line.split("  ")) for line in (tmp_path / "SHA256SUMS").read_text().splitlines())
    assert {f"reproducible {name}": f"sha256 {digest}" for name, digest in sums.items()} == {r[0]: r[2] for r in rows}
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "control_plane/py.typed",
        "control_plane/demo/calls.csv",
        "control_plane/dashboard/static/index.html",
    } <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


@pytest.mark.requirement("SHIP-44")
def test_a_build_by_the_clock_is_seen(tmp_path: Path) -> None:
    rows = built_twice(project(tmp_path / "project", hook=BUILDS_BY_THE_CLOCK), tmp_path / "out")
    assert {row.state for row in rows} == {"fails"}


def test_a_project_that_does_not_build_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (row,) = built_twice(tmp_path, tmp_path / "out")
    assert row.state == "fails"
    assert row.seen


def test_a_python_that_is_not_here_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(installed([tmp_path / "any.whl"], ["3.99"]))
    assert [row.state for row in rows] == ["not run"]
    assert packages.tell(rows, as_json=False) == 3
    assert "1 could not be run" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.requirement("SHIP-46")
def test_the_pinned_packages_have_wheels_for_windows_and_macos(
    tmp_path: Path, could_not_run: Callable[[str], None]
) -> None:
    (tmp_path / "lost.txt").write_text("no-such-package-of-anybody==1 --hash=sha256:" + "0" * 64 + "\n")
    assert [row.state for row in packages.elsewhere(tmp_path / "lost.txt", ["win_amd64"])] == ["fails"]
    rows = list(packages.elsewhere())
    if any(row.state == "not run" for row in rows):
        could_not_run("no index answers for other platforms")
    assert [row for row in rows if row.state != "holds"] == []


@pytest.mark.long
@pytest.mark.requirement("SHIP-45", "REL-SC-4")
def test_wheel_and_sdist_install_into_bare_environments_and_advise(tmp_path: Path) -> None:
    rows = built_twice(PROJECT, tmp_path)
    found = list(installed([tmp_path / row.what.split()[1] for row in rows]))
    assert [row for row in found if row.state != "holds"] == []
    assert len(found) == 6


@pytest.mark.long
@pytest.mark.requirement("SHIP-45")
def test_packages_that_do_not_work_are_seen(tmp_path: Path) -> None:
    faults = {"init": "import nothing_like_it", "command": "def main():\n    raise SystemExit('no advice')\n"}
    wheels = []
    for kind, source in faults.items():
        rows = built_twice(project(tmp_path / kind, **{kind: source}), tmp_path / f"{kind}-out")
        wheels += [tmp_path / f"{kind}-out" / row.what.split()[1] for row in rows if row.what.endswith(".whl")]
    found = list(installed(wheels, ["3.11"]))
    assert [row.state for row in found] == ["fails", "fails"]
    assert "nothing_like_it" in found[0].seen
    assert "no advice" in found[1].seen

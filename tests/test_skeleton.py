"""The frame around the code: what a bare checkout needs, what it may not contain, and that each gate can close."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
LISTS = sorted(path.stem for path in (PROJECT / "requirements").glob("*.txt"))
PAGES = ("README.md", "docs/architecture.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "CONTRIBUTING.md")
# Written apart, so that this file does not hold what it looks for.
OUT_OF_PLACE = [
    r"/ro{0}ot\b",
    r"/ho{0}me/\w+/",
    r"/wo{0}rk/",
    r"/t{0}mp/cp\b",
    r"/Use{0}rs/",
    r"py{0}pi\.org",
    r"python{0}hosted",
]


def tracked() -> list[Path]:
    """The files of the project as git knows them, else as they lie there."""
    try:
        command = ["git", "ls-files", "-z"]
        listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(PROJECT)) for path in PROJECT.rglob("*") if ".venv" not in path.parts]
    return [PROJECT / name for name in listed if name and (PROJECT / name).is_file()]


def pinned(name: str) -> Iterator[tuple[str, str]]:
    """Each requirement of a pinned list with everything that stands behind it."""
    text = (PROJECT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            requirement, *rest = line.split(" ", 1)
            yield requirement, " ".join(rest)


def recipe(target: str) -> str:
    """What make would run for a target on a bare checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", "--always-make", "--no-print-directory", target]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout


def run_tool(*command: str, cwd: Path = PROJECT, told: str | None = None) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", *command]
    return subprocess.run(whole, cwd=cwd, input=told, capture_output=True, text=True, check=False)


@pytest.mark.requirement("LEDGER-10")
@pytest.mark.parametrize("page", PAGES)
def test_the_pages_that_every_project_owes_are_there(page: str) -> None:
    assert len((PROJECT / page).read_text(encoding="utf-8")) > 500


@pytest.mark.requirement("LEDGER-01")
def test_the_package_asks_for_python_3_11() -> None:
    assert PYPROJECT["project"]["requires-python"] == ">=3.11"
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py311"


@pytest.mark.requirement("LEDGER-02")
def test_the_extras_are_declared() -> None:
    promised = {"postgres", "serve", "mcp", "tui"}
    ours = {"evals", "embeddings", "flags", "otel", "release", "test", "bench"}
    assert PYPROJECT["project"]["optional-dependencies"].keys() == promised | ours


@pytest.mark.requirement("LEDGER-07", "LEDGER-08", "SHIP-41")
@pytest.mark.parametrize("name", LISTS)
def test_every_requirement_is_pinned_and_hashed_and_names_no_index(name: str) -> None:
    requirements = list(pinned(name))
    assert requirements
    for requirement, rest in requirements:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), requirement
        assert not re.search(r"://|--(?!hash=)", rest), requirement


@pytest.mark.requirement("LEDGER-07")
def test_the_lists_pin_the_same_versions_and_all_that_is_asked_for() -> None:
    base, test = ({entry.split("==")[0]: entry for entry, _ in pinned(name)} for name in ("base", "test"))
    assert {name: test.get(name) for name in base} == base
    asked = [*PYPROJECT["project"]["dependencies"]]
    assert {re.split(r"[\[<>=]", entry)[0] for entry in asked} <= base.keys()
    extras = PYPROJECT["project"]["optional-dependencies"]
    asked = [*extras["test"], *extras["postgres"]]
    assert {re.split(r"[\[<>=]", entry)[0] for entry in asked} <= test.keys() | {PYPROJECT["project"]["name"]}
    bench = {entry.split("==")[0]: entry for entry, _ in pinned("bench")}
    assert {name: bench.get(name) for name in test} == test
    assert {re.split(r"[\[<>=]", entry)[0] for entry in extras["bench"]} <= bench.keys()


@pytest.mark.requirement("LEDGER-04", "LEDGER-17", "LEDGER-19")
def test_make_test_installs_what_it_needs_and_passes_every_gate() -> None:
    steps = recipe("test")
    installs = [line for line in steps.splitlines() if "pip install" in line and "--editable" not in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line and "index" not in line for line in installs)
    gates = ["ruff check .", "ruff format --check .", "bin/mypy", "lint-imports", "python -m pytest"]
    places = [steps.index(gate) for gate in gates]
    assert places == sorted(places)
    assert "coverage report" in recipe("cover")
    coverage = PYPROJECT["tool"]["coverage"]
    assert coverage["run"]["branch"] is True
    assert coverage["report"]["fail_under"] >= 92
    assert "docker" not in steps
    assert "apt" not in steps


@pytest.mark.requirement("LEDGER-03")
def test_make_advise_installs_and_gives_advice_with_its_explanation(tmp_path: Path) -> None:
    *steps, last = recipe("advise").strip().splitlines()
    assert sum("pip install" in step for step in steps) == 2
    program, *arguments = last.split()
    assert program.endswith("bin/python")
    given = {**os.environ, "PYTHONPATH": str(PROJECT)}
    told = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env=given, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert re.search(r"^→ \S+", told.stdout)
    assert re.search(r"^ +why +\S+", told.stdout, re.MULTILINE)
    assert (tmp_path / ".opencode" / "control-plane" / "ledger.db").exists()


@pytest.mark.requirement("LEDGER-05", "TEST-OUT-1")
def test_ci_runs_make_test_without_asking_anybody() -> None:
    script = PROJECT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make test </dev/null"


@pytest.mark.requirement("SHIP-38")
def test_ci_soaks_for_ten_minutes_at_night() -> None:
    script = PROJECT / ".ci" / "nightly"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make soak </dev/null"
    assert "control_plane soak --seconds 600" in recipe("soak")


@pytest.mark.requirement("LEDGER-06")
def test_make_prove_runs_long_tests_benchmarks_and_proofs() -> None:
    steps = recipe("prove")
    assert "pytest --long" in steps
    for path in [*PROJECT.glob("benchmarks/test_*.py"), *PROJECT.glob("scripts/*/fg*.py")]:
        assert str(path.relative_to(PROJECT)) in steps


def test_make_refuses_an_older_python_in_one_clear_line(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    shutil.copytree(PROJECT / "requirements", tmp_path / "requirements")
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\ntest "$1" = --version && echo Python 3.10.1\n', encoding="utf-8")
    old.chmod(0o755)
    refused = subprocess.run(
        ["make", f"PYTHON={old}", "advise"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "Python 3.11 or newer is needed" in refused.stderr
    assert "is Python 3.10.1" in refused.stderr


@pytest.mark.requirement("LEDGER-18")
def test_a_warning_is_an_error() -> None:
    with pytest.raises(UserWarning, match="look here"):
        warnings.warn("look here", stacklevel=1)


@pytest.mark.requirement("LEDGER-14")
def test_ruff_looks_at_the_whole_package_and_can_fail(tmp_path: Path) -> None:
    clean, careless = "VALUE = 1\n", "def f(x):\n    print(eval(x))\n"
    command = ("ruff", "check", "--stdin-filename", "control_plane/planted.py", "-")
    results = [run_tool(*command, told=source) for source in (clean, careless)]
    assert [result.returncode for result in results] == [0, 1]
    assert "S307" in results[1].stdout


@pytest.mark.requirement("LEDGER-15")
def test_the_type_checker_is_strict_and_can_fail(tmp_path: Path) -> None:
    settings = PYPROJECT["tool"]["mypy"]
    assert settings["strict"] is True
    assert settings["packages"] == ["control_plane"]
    planted = tmp_path / "planted.py"
    planted.write_text("def f(x):\n    return x\n", encoding="utf-8")
    config = ("--config-file", str(PROJECT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache"))
    found = run_tool("mypy", *config, str(planted), cwd=tmp_path)
    assert found.returncode == 1
    assert "[no-untyped-def]" in found.stdout


def planted_house(tmp_path: Path, file: str, source: str) -> subprocess.CompletedProcess[str]:
    """Check the floors of a small house that has one file more."""
    for room in ("ledger", "projections", "router", "learning", "cli", "flags"):
        folder = tmp_path / "control_plane" / room
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    for name in ("__init__", "errors", "clock", "plane"):
        (tmp_path / "control_plane" / f"{name}.py").touch()
    drivers = "import sqlite3\nimport aiosqlite\nimport psycopg\n"
    (tmp_path / "control_plane" / "projections" / "views.py").write_text(drivers, encoding="utf-8")
    (tmp_path / "control_plane" / "ledger" / "store.py").write_text(drivers, encoding="utf-8")
    (tmp_path / "control_plane" / "opencode").mkdir(exist_ok=True)
    for name in ("__init__", "history"):
        (tmp_path / "control_plane" / "opencode" / f"{name}.py").touch()
    planted = tmp_path / "control_plane" / file
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(source, encoding="utf-8")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    program = (
        "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command(['--no-cache']))"
    )
    return subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)


FLOORS, DRIVERS, PURITY = "each floor knows only", "only the store and the views", "rules and folds are pure"
FORBIDDEN = {
    "the ground floor knows no other": ("errors.py", "from .ledger import store\n", FLOORS),
    "the ledger knows no projection": ("ledger/up.py", "from ..projections import views\n", FLOORS),
    "the ledger knows no domain": ("ledger/up.py", "from .. import router\n", FLOORS),
    "no domain knows another": ("router/aside.py", "from .. import learning\n", FLOORS),
    "no domain knows an edge": ("router/up.py", "from .. import cli\n", FLOORS),
    "no domain knows a driver": ("router/down.py", "import sqlite3\n", DRIVERS),
    "rules know no clock": ("router/rules.py", "import time\n", PURITY),
    "a new room must be given its floor": ("attic/__init__.py", "", FLOORS),
}


@pytest.mark.requirement("LEDGER-16")
@pytest.mark.parametrize(("file", "source", "contract"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_the_floors_hold(tmp_path: Path, file: str, source: str, contract: str) -> None:
    checked = planted_house(tmp_path, file, source)
    assert checked.returncode == 1
    assert re.findall(r"^(.*) BROKEN$", checked.stdout, re.MULTILINE)[0].startswith(contract)


@pytest.mark.requirement("LEDGER-16")
def test_what_the_floors_allow_passes(tmp_path: Path) -> None:
    allowed = "from ..ledger import store\nfrom ..projections import views\nfrom .. import clock, errors\n"
    kept = planted_house(tmp_path, "router/service.py", allowed)
    assert kept.returncode == 0, kept.stdout


@pytest.mark.requirement("LEDGER-100")
def test_without_the_locks_of_posix_the_package_imports_and_opening_says_what_is_missing(tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules["fcntl"] = None
import control_plane
from control_plane.clock import Clock
from control_plane.errors import ControlPlaneError
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.home import Home
from control_plane.ledger.opening import create_home
from pathlib import Path
try:
    create_home(Home(Path({str(tmp_path / "home")!r})), Catalogue(facts.EVENTS), Clock())
except ControlPlaneError as refused:
    print(refused.code, refused, sep="|")
"""
    told = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert told.stderr == ""
    code, text = told.stdout.strip().split("|")
    assert code.startswith("home.")
    assert "use Linux, macOS or Windows" in text


def test_no_tracked_file_names_a_machine_or_a_package_index() -> None:
    wrong = re.compile("|".join(pattern.replace("{0}", "") for pattern in OUT_OF_PLACE))
    found = []
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [(str(path.relative_to(PROJECT)), match.group()) for match in wrong.finditer(text)]
    assert found == []

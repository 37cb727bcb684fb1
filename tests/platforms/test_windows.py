"""Without what only POSIX has the package imports and advises, and what cannot be done there says so with a code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane import posix

PROJECT = Path(__file__).parents[2]
PRETEND = "from tests.platforms.windows import pretend\npretend()\n"
# Other people's code asks for the platform's name, which stays; it gets what it expects then.
OTHERS = "import mcp.server.stdio, uvicorn\n"


def there(program: str, folder: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "cp1252"}
    return subprocess.run(
        [sys.executable, "-c", before + PRETEND + program, *words],
        cwd=folder, env=given, capture_output=True, text=True, encoding="cp1252", check=False, timeout=100,
    )  # fmt: skip


COMMAND = "import sys\nfrom control_plane.cli import main\nsys.exit(main())\n"
IMPORTS = """
import importlib, pkgutil, control_plane
for found in pkgutil.walk_packages(control_plane.__path__, "control_plane."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
        print(found.name)
"""
# What each of them needs, asked of it before it has begun.
ELSEWHERE_ONLY = {
    "a worker": "opencode.worker.OpenCodeWorker(Path('.'), {})",
    "a server": "opencode.running.Running('opencode', Path('.'), {})",
    "a check of a workspace": "runner.checking.run_check(['true'], None, {})",
    "a stop check": "guardrails.running.run_check('.', None, 1.0, {}, None)",
    "a resident": "guardrails.resident.Resident(None)",
}


@pytest.mark.requirement("SHIP-46", "REL-SC-2")
def test_every_module_imports_without_what_only_posix_has(tmp_path: Path) -> None:
    told = there(IMPORTS, tmp_path, before=OTHERS)
    assert told.returncode == 0, told.stderr[-600:]
    assert len(told.stdout.split()) > 300


@pytest.mark.requirement("SHIP-46", "REL-SC-2")
def test_advice_results_and_their_proof_work_there(tmp_path: Path) -> None:
    advised = there(COMMAND, tmp_path, "advise", "--task-type", "code.fix", "--json", "--home", "home")
    assert advised.returncode == 0, advised.stderr
    decision = json.loads(advised.stdout)["decision_id"]
    recorded = there(COMMAND, tmp_path, "record", "--decision", decision, "--success", "--home", "home")
    assert recorded.returncode == 0, recorded.stderr
    verified = there(COMMAND, tmp_path, "ledger", "verify", "--json", "--home", "home")
    assert json.loads(verified.stdout)["ok"], verified.stderr
    assert sorted(path.name for path in (tmp_path / "home" / "journal").iterdir()) == []


@pytest.mark.requirement("LEDGER-100", "SHIP-46")
def test_what_runs_other_programs_says_what_is_missing_with_a_code(tmp_path: Path) -> None:
    modules = sorted({call.split("(")[0].rpartition(".")[0] for call in ELSEWHERE_ONLY.values()})
    lines = ["from pathlib import Path", "from control_plane.errors import ControlPlaneError"]
    lines += [f"import control_plane.{module}" for module in modules]
    for call in ELSEWHERE_ONLY.values():
        lines += ["try:", f"    control_plane.{call}", "    print('done|')"]
        lines += ["except ControlPlaneError as refused:", "    print(refused.code, refused, sep='|')"]
    told = there("\n".join(lines), tmp_path)
    assert told.stderr == ""
    answers = [line.split("|") for line in told.stdout.splitlines()]
    assert [code for code, _ in answers] == ["platform.unsupported"] * len(ELSEWHERE_ONLY)
    assert all("use Linux, macOS or WSL" in text for _, text in answers)
    assert list(tmp_path.iterdir()) == []


LOCKS = """
import os, threading
from control_plane.ledger.flock import lock
first, second = (os.open("lock", os.O_RDWR | os.O_CREAT, 0o600) for _ in range(2))
print(lock(first), lock(second, wait=False), os.lseek(first, 0, os.SEEK_CUR))
asking = threading.Event()
waiting = threading.Thread(target=lambda: (asking.set(), print(lock(second))))
waiting.start()
asking.wait()
os.close(first)
waiting.join()
"""


def test_a_lock_of_bytes_is_held_by_one_and_waited_for(tmp_path: Path) -> None:
    told = there(LOCKS, tmp_path)
    assert (told.stdout, told.stderr) == ("True False 0\nTrue\n", "")


def test_here_nothing_of_it_is_missing() -> None:
    posix.needed_for("anything")

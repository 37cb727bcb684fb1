"""Proofs in tests: run as a process, as `make prove` does, or loaded so that a fault can be planted."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from control_plane.evidence import Evidence, check

ROOT = Path(__file__).parents[2]


def run(script: str, *words: str, folder: Path, seconds: float = 150.0) -> subprocess.CompletedProcess[str]:
    # Tracing would be measured as the plane's own cost.
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, str(ROOT / script), *words],
        cwd=folder,
        env=untraced | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def shown(script: str, item: str, folder: Path, *words: str, seconds: float = 150.0) -> Evidence:
    """Run a proof that must pass; its evidence lies where it belongs and names no path of this machine."""
    done = run(script, "--json", *words, folder=folder, seconds=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (folder / ".opencode" / "metrics").glob(f"{item}-*.json")
    evidence = check(path)
    assert evidence.green
    assert evidence.command.startswith(f"python {script}")
    assert str(folder) not in path.read_text()
    return evidence


def load(script: str) -> ModuleType:
    path = ROOT / script
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def failed(folder: Path) -> set[str]:
    """The criteria that the one evidence in this folder says were not met."""
    (path,) = folder.glob("*.json")
    evidence = check(path)
    assert not evidence.green
    return {criterion.name for criterion in evidence.criteria if not criterion.passed}

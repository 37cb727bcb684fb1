"""Runs the whole suite on bare clones, one after the other: whether it is quick enough and says the same each time.

usage: python scripts/release/suite.py [--runs N] [--metrics DIR] [--json]

Each run is what CI does: a clone of the commit, an environment of its own, `.ci/run`. The report names how long each
took and what failed; what a red run said lies beside it. Ctrl-C ends with the runs that came to their end. Exit 0: five
runs or more, each green in less than twelve minutes; 1: one was not; 3: fewer runs, or the code is another by now.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rows import Row, tell

PROJECT = Path(__file__).parents[2]
FILE, ENOUGH, LIMIT_S = "suite.json", 5, 720
# What a run is about; the rest may change without it.
ABOUT = ("control_plane", "tests", "requirements", "Makefile", "pyproject.toml")
_PASSED = re.compile(r"\b(\d+) passed\b")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def state(project: Path) -> str:
    """Of the commit's code and tests, by git's own digests."""
    command = ["git", "-C", str(project), "rev-parse", *(f"HEAD:{name}" for name in ABOUT)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def run(project: Path, folder: Path, red: Path) -> dict[str, Any]:
    """One bare clone, from nothing to its exit code; what it said is kept where it was not 0."""
    subprocess.run(["git", "clone", "--quiet", str(project), str(folder)], check=True)  # noqa: S603, S607
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST", "PYTHON", "VIRT"))
    }
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - the project's own
        [str(folder / ".ci" / "run")], cwd=folder, env=clean, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        red.write_text(done.stdout + done.stderr, encoding="utf-8")
    passed = _PASSED.search(done.stdout)
    return {
        "seconds": round(time.monotonic() - began), "exit": done.returncode,
        "passed": int(passed[1]) if passed else 0, "failed": sorted(set(_FAILED.findall(done.stdout))),
    }  # fmt: skip


def runs(project: Path, wanted: int, metrics: Path) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        for number in range(1, wanted + 1):
            clone = Path(folder) / str(number)
            one = run(project, clone, metrics / f"suite-{number}.log")
            shutil.rmtree(clone, ignore_errors=True)
            said = f"{one['passed']} passed in {one['seconds']} s, exit {one['exit']}"
            sys.stderr.write(f"run {number} of {wanted}: {' '.join([said, *one['failed']])}\n")
            yield one


def suite(metrics: Path, project: Path = PROJECT) -> list[Row]:
    """What the report says, if it is about this commit's code."""
    path = metrics / FILE
    if not path.exists():
        return [Row("suite", "not run", "there is no report: make suite")]
    told = json.loads(path.read_text(encoding="utf-8"))
    every = told["runs"]
    slow = max((one["seconds"] for one in every), default=0)
    red = [one for one in every if one["exit"] or not one["passed"]]
    green = f"{len(every) - len(red)} of {len(every)} runs green"
    seen = f"{green}, the slowest in {slow} s on {told['processors']} processors"
    if told["state"] != state(project):
        return [Row("suite", "not run", f"the code has changed since: {seen}")]
    if red or slow >= LIMIT_S:
        return [Row("suite", "fails", "; ".join([seen, *(name for one in red for name in one["failed"])]))]
    return [Row("suite", "holds" if len(every) >= ENOUGH else "not run", seen)]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=ENOUGH, help=f"how many ({ENOUGH})")
    parser.add_argument("--metrics", type=Path, default=PROJECT / ".opencode" / "metrics")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    if options.runs < 1:
        parser.error("there is at least one run")
    options.metrics.mkdir(parents=True, exist_ok=True)
    told = {
        "state": state(PROJECT),
        "processors": os.cpu_count(),
        "runs": list(runs(PROJECT, options.runs, options.metrics)),
    }
    (options.metrics / FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return tell(suite(options.metrics), options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

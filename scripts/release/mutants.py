"""How many small faults the tests see: a sample of mutants of the ledger and of the pure deciders.

usage: python scripts/release/mutants.py [--area AREA] [--sample N] [--seed S] [--at-once N] [--metrics DIR] [--json]

The area's tests run once, to see which of them reach which line. Then each mutant goes into a copy of the project, and
those that reach it run, the quickest first and no more than fit into half a minute: the score is rather too low than
too high. What a test fails on, or hangs at, is killed. A sample without weights: the interval is Wilson's, at 95 %.
Ctrl-C ends an area with what was judged. Exit 0: each area at 80 % or more; 1: one is
below; 3: too few were judged, or the code is another by now.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from mutating import Mutant, mutants, mutated
from reaching import CHOSEN, REACHED, Reach, read
from rows import Row, tell

PROJECT, TOOLS = Path(__file__).parents[2], Path(__file__).parent
FILE, LEAST, ENOUGH, Z = "mutation.json", 0.8, 30, 1.96
# Tests that take longer by themselves would pass for hung.
PER_TEST_S, BUDGET_S, PER_MUTANT_S, PER_AREA_S = 60, 30, 900, 3600
# Neither history nor what was made: a copy is what is written by hand.
LEFT_BEHIND = (".git", ".venv", ".cache", "dist", "build", "__pycache__", ".*_cache", ".hypothesis", ".benchmarks")
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s:]+(?:::[^\n]*?)?)(?: - .*)?$", re.MULTILINE)


class Area(NamedTuple):
    """Modules and the tests that are theirs; those `aside` start processes or servers, so that few mutants would fit
    into an hour. Without them the score is rather too low than too high.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    aside: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


AREAS = {
    "ledger": Area(
        ("control_plane/ledger/*.py",),
        ("tests/ledger/test_*.py", "tests/platforms/test_*.py"),
        ("test_kill", "test_audit_speed", "test_conformance_app*", "test_fork", "test_faults", "test_postgres_*"),
        ("postgres*",),
    ),
    "deciders": Area(
        ("control_plane/*/rules.py", "control_plane/*/state.py"),
        ("tests/{room}/test_*.py", "tests/opencode/test_turns.py"),
        ("test_real", "test_kill", "test_workflow", "test_http", "test_by_command", "test_scenarios", "test_hook",
         "test_simulation", "test_quality", "test_drivers", "test_corpus", "test_rehearsal"),
    ),
}  # fmt: skip


class Place(NamedTuple):
    module: str
    mutant: Mutant


def modules(area: Area, project: Path) -> list[str]:
    found = [path for pattern in area.modules for path in project.glob(pattern)]
    return sorted(str(path.relative_to(project)) for path in found if not any(map(fits(path), area.without)))


def fits(path: Path) -> Callable[[str], bool]:
    return lambda pattern: fnmatch(path.stem, pattern)


def digest(area: Area, project: Path) -> str:
    """Of the code that was sampled: another state has another score."""
    whole = sha256()
    for name in modules(area, project):
        whole.update(name.encode() + b"\0" + (project / name).read_bytes())
    return whole.hexdigest()


def sampled(area: Area, project: Path, size: int, seed: int) -> tuple[int, list[Place]]:
    places = [
        Place(name, one)
        for name in modules(area, project)
        for one in mutants((project / name).read_text(encoding="utf-8"))
    ]
    return len(places), random.Random(seed).sample(places, min(size, len(places)))  # noqa: S311 - the same again


def tests_of(area: Area, project: Path) -> list[str]:
    """The test files of the area's rooms."""
    found = set()
    for room in {Path(module).parent.name for module in modules(area, project)}:
        for path in (path for pattern in area.tests for path in project.glob(pattern.format(room=room))):
            named = path.parent.name == room or f"control_plane.{room}" in path.read_text(encoding="utf-8")
            if named and not any(map(fits(path), area.aside)):
                found.add(str(path.relative_to(project)))
    return sorted(found)


class Copy:
    """A copy of the project in which faults are tried, one after the other."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.root, self._chosen = folder / "copy", folder / "chosen.json"
        shutil.copytree(project, self.root, ignore=shutil.ignore_patterns(*LEFT_BEHIND), symlinks=True)
        self._sound: set[str] = set()

    def reach(self, tests: Sequence[str]) -> Reach:
        """What each test reaches where nothing is wrong; a test that fails by itself could kill nothing."""
        path = self._chosen.with_name("reached")
        verdict, failing = self._run(tests, {REACHED: str(path)}, PER_AREA_S)
        if verdict != "passed":
            raise SystemExit(f"{failing} fails without any mutant")
        return read(path, self.root.resolve())

    def judged(self, place: Place, tests: Sequence[str]) -> str:
        """`passed` where the mutant survives, `failed` or `hung` where it is killed."""
        path = self.root / place.module
        before = path.read_text(encoding="utf-8")
        try:
            write(path, mutated(before, place.mutant.number))
            verdict, failing = self._chosen_run(tests)
        finally:
            write(path, before)
        if failing is not None and failing not in self._sound:
            if self._chosen_run([failing])[0] != "passed":
                raise SystemExit(f"{failing} fails without any mutant")
            self._sound.add(failing)
        return verdict

    def _chosen_run(self, tests: Sequence[str]) -> tuple[str, str | None]:
        if not tests:
            return "passed", None
        self._chosen.write_text(json.dumps(tests), encoding="utf-8")
        files = dict.fromkeys(test.partition("::")[0] for test in tests)
        return self._run(list(files), {CHOSEN: str(self._chosen)}, PER_MUTANT_S)

    def _run(self, tests: Sequence[str], how: Mapping[str, str], seconds: float) -> tuple[str, str | None]:
        """What the tests say, and the first that failed."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
        # What plugins there are beside these takes longer to load than most tests take to run.
        clean |= {"PYTHONPATH": f"{self.root}{os.pathsep}{TOOLS}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **how}
        plugins = ["-p", "pytest_timeout", "-p", "anyio.pytest_plugin", "-p", "reaching"]
        command = [sys.executable, "-m", "pytest", "-x", "-q", *plugins, "--timeout", str(PER_TEST_S), *tests]
        try:
            done = subprocess.run(  # noqa: S603 - the project's tests
                command, cwd=self.root, env=clean, capture_output=True, text=True, timeout=seconds, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "hung", None
        if done.returncode in (0, 5):
            return "passed", None
        found = _FAILED.search(done.stdout)
        # Without a name pytest itself went down with it: there is no test to look at again.
        return "failed", found[1] if found else None


def write(path: Path, source: str) -> None:
    path.write_text(source, encoding="utf-8")
    # Written within one second and of one length, it would be taken for the file that was compiled.
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def interval(killed: int, of: int) -> tuple[float, float]:
    """Wilson's: where the score of all mutants lies, given that of the sample."""
    share, square = killed / of, Z * Z / of
    middle = (share + square / 2) / (1 + square)
    half = Z * (share * (1 - share) / of + square / of / 4) ** 0.5 / (1 + square)
    return middle - half, middle + half


def verdicts(area: Area, project: Path, places: Sequence[Place], at_once: int) -> Iterator[str]:
    """One a place and in their order, so that a part of them is a sample too."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        copies = [Copy(project, Path(folder) / str(number)) for number in range(at_once)]
        reach, free = copies[0].reach(tests_of(area, project)), copies.copy()

        def judged(place: Place) -> str:
            copy = free.pop()
            try:
                return copy.judged(place, reach.tests(place.module, place.mutant.line, BUDGET_S))
            finally:
                free.append(copy)

        try:
            yield from pool.map(judged, places)
        finally:
            pool.shutdown(cancel_futures=True)


def measured(name: str, area: Area, project: Path, size: int, seed: int, at_once: int = 1) -> dict[str, Any]:
    """The sample judged one by one."""
    population, places = sampled(area, project, size, seed)
    sources, began = digest(area, project), time.time()
    survived, seen = list[dict[str, Any]](), list[str]()
    with contextlib.suppress(KeyboardInterrupt):
        for place, verdict in zip(places, verdicts(area, project, places, at_once), strict=True):
            seen.append(verdict)
            if verdict == "passed":
                survived.append({"module": place.module, "line": place.mutant.line, "what": place.mutant.what})
            where = f"{place.module}:{place.mutant.line}  {place.mutant.what}"
            sys.stderr.write(f"{name} {len(seen)}/{len(places)} {verdict:7} {where}\n")
    judged = len(seen)
    killed = judged - len(survived)
    low, high = interval(killed, judged) if judged else (0.0, 1.0)
    return {
        "mutants": population, "sampled": judged, "seed": seed, "killed": killed, "hung": seen.count("hung"),
        "score": round(killed / max(judged, 1), 4), "low": round(low, 4), "high": round(high, 4),
        "sources": sources, "seconds": round(time.time() - began), "survived": survived,
    }  # fmt: skip


def mutation(metrics: Path, project: Path = PROJECT) -> list[Row]:
    """What the report says of each area, if it is about this code."""
    path, rows = metrics / FILE, []
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, area in AREAS.items():
        one, what = told.get(name), f"mutation {name}"
        if one is None:
            rows.append(Row(what, "not run", "there is no report: python scripts/release/mutants.py"))
            continue
        seen = (f"{one['killed']} of {one['sampled']} sampled killed, {one['score']:.0%} "
                f"({one['low']:.0%} to {one['high']:.0%}) of {one['mutants']:,}")  # fmt: skip
        if one["sources"] != digest(area, project):
            rows.append(Row(what, "not run", f"the code has changed since: {seen}"))
        elif one["sampled"] < ENOUGH:
            rows.append(Row(what, "not run", f"fewer than {ENOUGH} say little: {seen}"))
        else:
            rows.append(Row(what, "holds" if one["score"] >= LEAST else "fails", seen))
    return rows


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", choices=sorted(AREAS), action="append", help="only this one")
    parser.add_argument("--sample", type=int, default=100, help="how many mutants of an area (100)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    parser.add_argument("--at-once", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--metrics", type=Path, default=PROJECT / ".opencode" / "metrics")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    if min(options.sample, options.at_once) < 1:
        parser.error("a sample has at least one mutant, judged by at least one")
    for name in options.area or AREAS:
        path = options.metrics / FILE
        found = measured(name, AREAS[name], PROJECT, options.sample, options.seed, options.at_once)
        # Read now: another area may have been told of in the meantime.
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        told[name] = found
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return tell(mutation(options.metrics), options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

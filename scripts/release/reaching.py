"""Which tests reach which line: of a mutant only those can tell anything that get to it.

As a plugin of pytest it notes what each test reaches (REACHED names the file), or runs the tests that CHOSEN lists and
no others, in its order.
"""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pytest
from coverage import Coverage, CoverageData

REACHED, CHOSEN = "MUTANTS_REACHED", "MUTANTS_CHOSEN"


class Reach(NamedTuple):
    """The tests at each line of each module, and how long each takes."""

    lines: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests(self, module: str, line: int, budget: float) -> list[str]:
        """Those that get to this line, the quickest first and as many as fit into so many seconds; of a line that
        importing runs, those of the module.
        """
        lines = self.lines.get(module, {})
        found = {test for test in lines.get(line, ()) if test} or {
            test for tests in lines.values() for test in tests if test
        }
        ranked = sorted(found, key=lambda test: (self.seconds[test], test))
        spent = accumulate(self.seconds[test] for test in ranked)
        fitting = [test for test, until in zip(ranked, spent, strict=True) if until <= budget]
        return fitting or ranked[:1]


def read(path: Path, project: Path) -> Reach:
    data = CoverageData(str(path))
    data.read()
    lines = {}
    for name in data.measured_files():
        if Path(name).is_relative_to(project):
            lines[Path(name).relative_to(project).as_posix()] = data.contexts_by_lineno(name)
    return Reach(lines, json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))


class _Noting:
    def __init__(self, path: Path) -> None:
        self._path, self._seconds = path, dict[str, float]()
        self._watch = Coverage(data_file=str(path), branch=False, source=["."], omit=["tests/*"], config_file=False)
        self._watch.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._watch.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        self._watch.stop()
        self._watch.save()
        self._path.with_suffix(".json").write_text(json.dumps(self._seconds), encoding="utf-8")


class _Choosing:
    def __init__(self, chosen: Sequence[str]) -> None:
        self._rank = {test: number for number, test in enumerate(chosen)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._rank), key=lambda item: self._rank[item.nodeid]
        )


def pytest_configure(config: pytest.Config) -> None:
    if path := os.environ.get(REACHED):
        config.pluginmanager.register(_Noting(Path(path)))
    if path := os.environ.get(CHOSEN):
        config.pluginmanager.register(_Choosing(json.loads(Path(path).read_text(encoding="utf-8"))))

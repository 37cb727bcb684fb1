"""The manifest of requirements and the tests' markers agree, checked both ways."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Manifest = Sequence[Mapping[str, Any]]
Marked = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

TESTS = Path(__file__).parent
WELL_FORMED = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)+")
MARKERS = {"pytest.mark.requirement", "mark.requirement"}


def load_manifest(path: Path = TESTS / "requirements.toml") -> Manifest:
    """The requirements in the order of the file."""
    requirements: Manifest = tomllib.loads(path.read_text(encoding="utf-8"))["requirement"]
    return requirements


def counts(manifest: Manifest) -> tuple[int, int]:
    """How many requirements are shown by tests, and how many are still open."""
    still_open = sum(entry.get("open") is True for entry in manifest)
    return len(manifest) - still_open, still_open


def mark_expressions(tree: ast.Module) -> Iterator[ast.expr]:
    """Where pytest would find a mark: decorators of tests and classes, and every `pytestmark`."""
    for node in ast.walk(tree):
        if isinstance(node, Marked) and (isinstance(node, ast.ClassDef) or node.name.startswith("test")):
            yield from node.decorator_list
        elif isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets):
            yield node.value


def marked_ids(source: str) -> set[str]:
    """The ids that a test file claims to show; anything but a string literal stays as its source text."""
    calls = (node for mark in mark_expressions(ast.parse(source)) for node in ast.walk(mark))
    marks = (call for call in calls if isinstance(call, ast.Call) and ast.unparse(call.func) in MARKERS)
    arguments = (argument for mark in marks for argument in mark.args)
    return {a.value if isinstance(a, ast.Constant) and isinstance(a.value, str) else ast.unparse(a) for a in arguments}


def load_markers(folders: Sequence[Path] = (TESTS, TESTS.parent / "benchmarks")) -> dict[str, list[str]]:
    """Every marked id with the test files that mark it."""
    places: dict[str, list[str]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("test_*.py")):
        for name in marked_ids(path.read_text(encoding="utf-8")):
            places.setdefault(name, []).append(path.relative_to(TESTS.parent).as_posix())
    return places


def malformed(manifest: Manifest) -> Iterator[str]:
    """Entries that are not one id, one sentence, one source and perhaps `open = true`."""
    for entry in manifest:
        fields = [entry.get(field) for field in ("id", "text", "source")]
        if not all(isinstance(field, str) and field.strip() for field in fields):
            yield f"{entry.get('id')}: id, text and source must be non-empty strings"
        elif not WELL_FORMED.fullmatch(entry["id"]):
            yield f"{entry['id']}: malformed id"
        if entry.keys() - {"id", "text", "source", "open"} or entry.get("open", True) is not True:
            yield f"{entry.get('id')}: only `open = true` may stand beside id, text and source"


def problems(manifest: Manifest, markers: Iterable[str]) -> list[str]:
    """What keeps the manifest and the marked ids from agreeing; empty when they do."""
    marked, ids = set(markers), Counter(entry.get("id") for entry in manifest)
    still_open = {entry.get("id") for entry in manifest if entry.get("open") is True}
    return [
        *malformed(manifest),
        *(f"{name}: id used {times} times" for name, times in ids.items() if times > 1),
        *(f"{name}: marked in a test but not a requirement" for name in sorted(marked - ids.keys())),
        *(f"{name}: neither open nor shown by a test" for name in ids if name not in still_open | marked),
        *(f"{name}: shown by a test, so close it" for name in ids if name in still_open & marked),
    ]


SHOWN: dict[str, Any] = {"id": "LEDGER-01", "text": "It holds.", "source": "brief ledger"}
OPEN: dict[str, Any] = {**SHOWN, "id": "LEDGER-02", "open": True}
FAULTS = {
    "unknown marker": ([SHOWN], {"LEDGER-01", "LEDGER-99"}, "LEDGER-99: marked in a test but not a requirement"),
    "unshown requirement": ([SHOWN], set[str](), "LEDGER-01: neither open nor shown by a test"),
    "open but shown": ([OPEN], {"LEDGER-02"}, "LEDGER-02: shown by a test, so close it"),
    "duplicate id": ([SHOWN, SHOWN], {"LEDGER-01"}, "LEDGER-01: id used 2 times"),
    "malformed id": ([{**OPEN, "id": "ledger-2"}], set[str](), "ledger-2: malformed id"),
    "empty text": ([{**OPEN, "text": " "}], set[str](), "LEDGER-02: id, text and source must be non-empty strings"),
    "missing source": ([{"id": "A-1", "text": "T", "open": True}], set[str](), "A-1: id, text and source must be"),
    "open = false": ([{**SHOWN, "open": False}], {"LEDGER-01"}, "LEDGER-01: only `open = true` may stand"),
    "stray field": ([{**OPEN, "owner": "me"}], set[str](), "LEDGER-02: only `open = true` may stand"),
}


@pytest.mark.requirement("LEDGER-11")
def test_manifest_and_markers_agree() -> None:
    places = load_markers()
    assert [(problem, places.get(problem.split(":")[0])) for problem in problems(load_manifest(), places)] == []


@pytest.mark.requirement("LEDGER-12")
@pytest.mark.parametrize(("manifest", "markers", "expected"), FAULTS.values(), ids=FAULTS)
def test_planted_fault_is_named(manifest: Manifest, markers: set[str], expected: str) -> None:
    assert [problem.startswith(expected) for problem in problems(manifest, markers)] == [True]


def test_markers_are_read_where_pytest_applies_them() -> None:
    mark = "pytest.mark.requirement"
    tests = f"@{mark}('A-1', 'A-2')\ndef test_a(): ...\n@mark.requirement(NAME)\nclass B: ...\n"
    source = f"pytestmark = [{mark}('A-3')]\n{tests}@{mark}('A-4')\ndef helper(): {mark}('A-5')\n"
    assert marked_ids(source) == {"A-1", "A-2", "A-3", "NAME"}


@pytest.mark.requirement("LEDGER-13")
def test_counts_tell_shown_from_open() -> None:
    assert counts([SHOWN, OPEN, OPEN]) == (1, 2)
    assert problems([SHOWN, OPEN], {"LEDGER-01"}) == []

"""The gap report of the runner's audit (AUD-01 to AUD-06), from the manifest of requirements and from the code.

    python scripts/governance/gap_report.py [--all]

The runner's requirements by default; `--all` speaks of every room. It exits 0: a gap is a fact, not a failure.
"""

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).parents[2]
SOURCES = ("seed 001", "brief runner")
LONGEST_FUNCTION, LONGEST_FILE = 50, 500
Manifest = Sequence[Mapping[str, Any]]
# What is asked for first stands first: what the runner is for, then what it promises, then its frame.
PRIORITY = (
    "core value",
    "what must be shown",
    "what it is",
    "v2",
    "phase 1",
    "phase 3",
    "phase 2",
    "phase 4",
    "phase 5",
)


class Gap(NamedTuple):
    audit: str
    what: str


def load(path: Path) -> Manifest:
    found: Manifest = tomllib.loads(path.read_text(encoding="utf-8"))["requirement"]
    return found


def priority(entry: Mapping[str, Any]) -> int:
    places = [at for at, word in enumerate(PRIORITY) if word in entry["source"]]
    return places[0] if places else len(PRIORITY)


def open_requirements(manifest: Manifest) -> list[Mapping[str, Any]]:
    """AUD-01: what is asked for and not shown by a test, in order of priority."""
    return sorted((one for one in manifest if one.get("open")), key=lambda one: (priority(one), one["id"]))


def trees(folders: Sequence[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def errors_without_a_cure(folders: Sequence[Path]) -> Iterator[str]:
    """AUD-02: places that raise bad input and say neither why nor what to do."""
    for path, tree in trees(folders):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            if name in ("BadInput", "BadRun", "SettingsError") and not {k.arg for k in node.exc.keywords} & {
                "why",
                "cure",
            }:
                yield f"{path.relative_to(PROJECT)}:{node.lineno} raises {name} without why or cure"


def untested(folders: Sequence[Path], tests: Path) -> Iterator[str]:
    """AUD-03: modules that no test imports, by themselves or through another module of theirs."""
    told = "\n".join(path.read_text(encoding="utf-8") for path in tests.rglob("*.py"))
    names = [(path, ".".join(path.relative_to(PROJECT).with_suffix("").parts)) for path, _ in trees(folders)]
    imports = {name: _imported(path, name) for path, name in names}
    reached = {name for name in imports if name in told}
    while more := {name for known in reached for name in imports.get(known, ())} & imports.keys() - reached:
        reached |= more
    yield from (f"{name} is reached by no test" for name in imports if name not in reached and "__init__" not in name)


def _imported(path: Path, name: str) -> set[str]:
    package = name.rsplit(".", 1)[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def undocumented(folders: Sequence[Path]) -> Iterator[str]:
    """AUD-04: modules and public classes without a line that says what they are."""
    for path, tree in trees(folders):
        if not ast.get_docstring(tree):
            yield f"{path.relative_to(PROJECT)} says not what it is"


def overlong(folders: Sequence[Path]) -> Iterator[str]:
    """AUD-05: functions and files that nobody reads to the end."""
    for path, tree in trees(folders):
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE:
            yield f"{path.relative_to(PROJECT)} is longer than {LONGEST_FILE} lines"
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length >= LONGEST_FUNCTION:
                    yield f"{path.relative_to(PROJECT)}:{node.lineno} {node.name} has {length} lines"


def edge_cases(path: Path) -> list[Mapping[str, Any]]:
    """AUD-06: what is known to happen at the edges, and the test that shows what comes of it."""
    found: list[Mapping[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    return found


def gaps(manifest: Manifest, folders: Sequence[Path], tests: Path, cases: Path) -> list[Gap]:
    return [
        *(Gap("AUD-01", f"{one['id']}: {one['text']}") for one in open_requirements(manifest)),
        *(Gap("AUD-02", what) for what in errors_without_a_cure(folders)),
        *(Gap("AUD-03", what) for what in untested(folders, tests)),
        *(Gap("AUD-04", what) for what in undocumented(folders)),
        *(Gap("AUD-05", what) for what in overlong(folders)),
        *(Gap("AUD-06", one["what"]) for one in edge_cases(cases) if not one.get("test")),
    ]


def report(manifest: Manifest, found: Sequence[Gap], cases: Sequence[Mapping[str, Any]]) -> str:
    shown = sum(not one.get("open") for one in manifest)
    lines = [f"# Gaps: {shown} of {len(manifest)} requirements are shown by tests", ""]
    titles = {
        "AUD-01": "Asked for and not shown", "AUD-02": "Errors that do not say what to do", "AUD-03": "Not tested",
        "AUD-04": "Not documented", "AUD-05": "To be refactored", "AUD-06": "Edge cases that are not covered",
    }  # fmt: skip
    for audit, title in titles.items():
        mine = [gap.what for gap in found if gap.audit == audit]
        lines += [f"## {audit} {title}: {len(mine)}", "", *(f"- {what}" for what in mine), *([""] if mine else [])]
    lines += ["## Known edge cases", "", *(f"- {one['what']}: {one.get('test') or 'not covered'}" for one in cases)]
    return "\n".join(lines) + "\n"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="The gap report of AUD-01 to AUD-06.")
    parser.add_argument("--all", action="store_true", help="every room's requirements and code")
    every = parser.parse_args(words).all
    manifest = load(PROJECT / "tests/requirements.toml")
    package = PROJECT / "control_plane"
    folders = (
        [package] if every else [package / "runner", package / "opencode/worker.py", package / "cli/commands/run.py"]
    )
    if not every:
        manifest = [one for one in manifest if any(one["source"].startswith(source) for source in SOURCES)]
    cases = PROJECT / "tests/runner/edge_cases.toml"
    print(report(manifest, gaps(manifest, folders, PROJECT / "tests", cases), edge_cases(cases)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

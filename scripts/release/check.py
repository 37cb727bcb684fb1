"""The release checklist, gone through by a program: each line holds, fails, or could not be run.

usage: python scripts/release/check.py [--whole] [--json]

Without `--whole`: what the manifest of requirements says, version and changelog, the tree, the pinned lists, the bill
of materials, what coverage, mutants and runs of the suite said last, the build. With it also style and types, known
advisories, and bare environments on each Python.
Exit 0: all holds; 1: something fails; 3: nothing fails, but something could not be run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from audit import audit
from covered import covered
from mutants import mutation
from packages import built_twice, elsewhere, installed
from rows import Row, tell
from sbom import bill_of_materials, pins
from suite import suite

from control_plane import __version__

PROJECT = Path(__file__).parents[2]
FAMILIES = ("AUD", "TEST", "ERR", "QUAL", "DOCS", "REL")
GO_LIVE = "go-live"
GATES = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("importlinter.cli",))
PATIENCE_S = 900
Manifest = Iterable[Mapping[str, Any]]


def requirements(manifest: Manifest, shown: Mapping[str, Sequence[str]]) -> list[Row]:
    """What a release needs of the manifest, each with the tests that show it."""
    rows = []
    for one in manifest:
        name = one["id"]
        if name.split("-")[0] not in FAMILIES and GO_LIVE not in one["source"]:
            continue
        tests = shown.get(name, ())
        if one.get("open") or not tests:
            rows.append(Row(name, "fails", f"open: {one['text']}"))
        else:
            rows.append(Row(name, "holds", ", ".join(tests)))
    return rows


def of_this_project() -> list[Row]:
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))
    read = import_module("tests.test_requirements")
    return requirements(read.load_manifest(), read.load_markers())


def versions(changelog: str, version: str = __version__) -> Row:
    """The newest entry is that of this version, dated, with words in it, and nothing waits above it."""
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    dated = re.fullmatch(rf"{re.escape(version)} - (\d{{4}}-\d\d-\d\d)", headings[0]) if headings else None
    if dated is None:
        return Row("changelog", "fails", f"{version} is not its newest entry: {headings[0] if headings else 'none'}")
    try:
        date.fromisoformat(dated[1])
    except ValueError:
        return Row("changelog", "fails", f"{dated[1]} is no day")
    words = changelog.split(f"## {headings[0]}\n")[1].split("\n## ", maxsplit=1)[0]
    told = len(re.findall(r"^- ", words, re.MULTILINE))
    if not told:
        return Row("changelog", "fails", f"{version} changes nothing that anybody would notice")
    return Row("changelog", "holds", f"{headings[0]}, {told} changes")


def tree(project: Path) -> Row:
    command = ["git", "-C", str(project), "status", "--porcelain"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return Row("tree", "not run", "git does not know this folder")
    changed = said.splitlines()
    return Row("tree", "fails" if changed else "holds", f"{len(changed)} changes that are not committed")


def launched(page: str) -> Row:
    """What the bridge's launch page says of its levels and drills."""
    lost = re.findall(r"^\| (.+?) \|.*\*\*does not hold\*\* \|$", page, re.MULTILINE)
    ready = "Everything measured holds." in page and not lost and "has not run here" not in page
    return Row("bridge launch", "holds" if ready else "fails", "; ".join(lost) or "as its page says")


def hashed(lists: Sequence[Path]) -> list[Row]:
    rows = []
    for path in lists:
        bare = [pin.name for pin in pins(path) if not pin.hashes or not pin.version]
        seen = f"not pinned by a digest: {', '.join(bare)}" if bare else "each package pinned, with its digests"
        rows.append(Row(f"hashed {path.name}", "fails" if bare else "holds", seen))
    return rows or [Row("hashed lists", "fails", "there are none")]


def gates(commands: Sequence[Sequence[str]] = GATES, project: Path = PROJECT) -> list[Row]:
    rows = []
    for module, *words in commands:
        start = ["-m", module] if module != "importlinter.cli" else ["-c", _LINT]
        done = subprocess.run(  # noqa: S603 - the gates of `make lint`
            [sys.executable, *start, *words], cwd=project, capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        said = (done.stdout + done.stderr).strip().splitlines()
        state = "fails" if done.returncode else "holds"
        rows.append(Row(f"gate {' '.join([module, *words])}", state, said[-1] if said else "nothing to say"))
    return rows


_LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command([]))"


def steps(whole: bool, out: Path) -> list[Row]:
    lists = sorted((PROJECT / "requirements").glob("*.txt"))
    short: list[Callable[[], Iterable[Row]]] = [
        of_this_project,
        lambda: [versions((PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")), tree(PROJECT)],
        lambda: [launched((PROJECT / "docs" / "bridge-launch.md").read_text(encoding="utf-8"))],
        lambda: hashed(lists),
        lambda: [bill_of_materials(out / "sbom.cdx.json", pins())],
        covered,
        lambda: mutation(PROJECT / ".opencode" / "metrics"),
        lambda: suite(PROJECT / ".opencode" / "metrics"),
        lambda: built_twice(PROJECT, out),
    ]
    long: list[Callable[[], Iterable[Row]]] = [
        gates,
        audit,
        elsewhere,
        lambda: installed(sorted([*out.glob("*.whl"), *out.glob("*.tar.gz")])),
    ]
    return [row for step in [*short, *(long if whole else [])] for row in step()]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="the long steps too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        return tell(steps(options.whole, Path(folder)), options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

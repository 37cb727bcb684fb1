"""Asks for known advisories of every pinned package: pass or fail, or a word that nobody could be asked.

usage: python scripts/release/audit.py [--json]

pip-audit passes what it could not ask about; here that is no pass. It does not tell how grave an advisory is, so each
one counts as high until `requirements/advisories.toml` gives it a lower grade with a reason and a last day:

    [[accepted]]
    id = "PYSEC-2026-1"
    package = "name"
    grade = "low"          # low or moderate; high and critical are never accepted
    why = "the function is not called"
    until = 2027-01-31

Exit 0: no open high or critical advisory; 1: there is one; 3: it could not be asked for.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rows import Row, tell

PROJECT = Path(__file__).parents[2]
LISTS = PROJECT / "requirements"
PROGRAM = (sys.executable, str(Path(__file__).with_name("asking.py")))
PATIENCE_S = 600
GRADES = ("low", "moderate")


def accepted(path: Path, today: date) -> tuple[set[tuple[str, str]], list[Row]]:
    """What may stay open, by package and id, and what is wrong with the list itself."""
    found, rows = set(), []
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", []) if path.exists() else []
    for one in entries:
        wrong = fault(one, today)
        if wrong:
            rows.append(Row(f"accepted {one.get('id', '?')}", "fails", wrong))
        else:
            found.add((one["package"], one["id"]))
    return found, rows


def fault(entry: dict[str, Any], today: date) -> str:
    if not all(isinstance(entry.get(name), str) and entry[name] for name in ("id", "package", "grade", "why")):
        return "id, package, grade and why are words"
    if entry["grade"] not in GRADES:
        return f"{entry['grade']} is never accepted"
    if not isinstance(entry.get("until"), date) or entry["until"] < today:
        return "its last day is over, or none is named"
    return ""


def asked(pinned: Path, program: Sequence[str]) -> dict[str, Any] | str:
    """What pip-audit says of one list, or why it says nothing; nothing is resolved or installed for it."""
    command = [*program, "--requirement", str(pinned), "--require-hashes", "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(  # noqa: S603 - pip-audit
            [*command, "--progress-spinner", "off"], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as gone:
        return f"pip-audit could not run: {type(gone).__name__}"
    except ValueError:
        said = done.stderr.strip().splitlines()
        return f"pip-audit ended with {done.returncode}: {said[-1] if said else 'without a word'}"
    return told if isinstance(told, dict) and told.get("dependencies") else "pip-audit named no package"


def audited(pinned: Path, kept: set[tuple[str, str]], program: Sequence[str] = PROGRAM) -> Row:
    what, told = f"advisories {pinned.name}", asked(pinned, program)
    if isinstance(told, str):
        return Row(what, "not run", told)
    packages = told["dependencies"]
    still_open = [
        f"{one['name']} {one['version']}: {found['id']}"
        for one in packages
        for found in one.get("vulns", ())
        if not kept & {(one["name"], name) for name in (found["id"], *found.get("aliases", ()))}
    ]
    unasked = [one["name"] for one in packages if "vulns" not in one]
    if still_open:
        return Row(what, "fails", ", ".join(still_open))
    if unasked:
        return Row(what, "not run", f"nobody could be asked about {len(unasked)} of {len(packages)} packages")
    return Row(what, "holds", f"{len(packages)} packages without an open advisory")


def audit(lists: Path = LISTS, program: Sequence[str] = PROGRAM, today: date | None = None) -> list[Row]:
    kept, rows = accepted(lists / "advisories.toml", today or datetime.now(UTC).date())
    return [*rows, *(audited(path, kept, program) for path in sorted(lists.glob("*.txt")))]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    return tell(audit(), options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

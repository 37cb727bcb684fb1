"""The three validators together, and one of them as a program: 0 passed, 1 something is wrong, 2 bad usage."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import fallback, plugins, schema
from .findings import Report

VALIDATORS: Mapping[str, Callable[[Path], Report]] = {
    validator.NAME: validator.validate for validator in (schema, fallback, plugins)
}


def run_suite(root: Path) -> dict[str, Report]:
    """All three validators over one repository."""
    return {name: validate(root) for name, validate in VALIDATORS.items()}


def main(name: str, doc: str | None, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH", help="the repository")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    if not options.path.is_dir():
        sys.stderr.write(f"{options.path} is no folder\n")
        return 2
    report = VALIDATORS[name](options.path)
    if options.json:
        sys.stdout.write(json.dumps(report.facts()) + "\n")
    else:
        for kind, found in (("error", report.errors), ("warning", report.warnings)):
            sys.stderr.write("".join(f"{kind}: {finding}\n" for finding in found))
        sys.stdout.write(f"{name}: {'passed' if report.passed else 'failed'}, {len(report.looked_at)} files read\n")
    return 0 if report.passed else 1

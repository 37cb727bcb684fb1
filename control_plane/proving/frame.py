"""How a proof runs from the command line: quick or whole, evidence written, 0 shown, 1 failed, 2 bad usage."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ControlPlaneError
from ..evidence import METRICS, Criterion, Evidence, Metrics, Rollback, check, make_folder, snapshot, write
from ..flags import read_flags
from ..plane import ControlPlane
from .governance import suite_result

# Parts that a proof plays in processes of its own: name, then what it was told.
Plays = Mapping[str, Callable[[dict[str, Any]], None]]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof saw; `not_run` names what this machine could not show, which no criterion may hide."""

    before: Metrics
    after: Metrics
    criteria: tuple[Criterion, ...]
    rollback: Rollback
    not_run: tuple[str, ...] = ()
    files: dict[str, bytes] = {}


def run_proof(
    item: str,
    script: str,
    doc: str | None,
    prove: Callable[[bool], Findings],
    arguments: Sequence[str],
    plays: Plays | None = None,
) -> int:
    """`prove` is told whether the short form is wanted."""
    if plays and len(arguments) == 3 and arguments[0] == "--play":
        plays[arguments[1]](json.loads(arguments[2]))
        return 0
    options = _parser(doc).parse_args(arguments)
    if item == "M0" and not read_flags(os.environ, {}).milestone_m0:
        sys.stderr.write("OPENCODE_MILESTONE_M0=false: no baseline is taken\n")
        return 0
    command = f"python {script}" + (" --quick" if options.quick else "")
    try:
        make_folder(options.metrics)
        path, evidence = keep(item, command, prove(options.quick), options.metrics)
        if options.home:
            record(path, options.home)
    except ControlPlaneError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(msgspec.json.encode(evidence).decode() + "\n" if options.json else told(evidence))
    for figure, reason in evidence.after.figures.items():
        if figure.startswith("not_run_"):
            sys.stderr.write(f"could not run: {reason}\n")
    sys.stderr.write(f"evidence: {path}\n")
    return 0 if evidence.green else 1


def _parser(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the evidence as JSON")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the short form: fewer repetitions, and wall-clock numbers at the seed's bars",
    )
    parser.add_argument("--metrics", type=Path, default=METRICS, help="where the evidence goes")
    parser.add_argument("--home", help="the control plane whose key signs the evidence and whose log records it")
    return parser


def keep(item: str, command: str, found: Findings, folder: Path) -> tuple[Path, Evidence]:
    """Write the evidence, and answer it as anybody would read it."""
    path = write(_evidence(item, command, found), folder, found.files)
    return path, check(path)


def record(path: Path, home: str) -> None:
    """Let that control plane sign the evidence and draw its conclusions."""
    with ControlPlane.open(home, background=False) as plane:
        plane.evidence.record(path)
        plane.milestones.react()


def _evidence(item: str, command: str, found: Findings) -> Evidence:
    # What did not run stands among the figures, where a reader of the evidence looks.
    figures = {**found.after.figures, "not_run": len(found.not_run)}
    figures |= {f"not_run_{number}": reason for number, reason in enumerate(found.not_run, 1)}
    return Evidence(
        item=item,
        at=time.time(),
        command=command,
        before=found.before,
        after=msgspec.structs.replace(found.after, figures=figures),
        criteria=found.criteria,
        artifacts=(),
        governance=suite_result(),
        rollback=found.rollback,
        environment=snapshot(),
    )


def told(evidence: Evidence) -> str:
    """The evidence as lines for people."""
    lines = []
    for criterion in evidence.criteria:
        mark = "ok  " if criterion.passed else "FAIL"
        limit = f"{criterion.comparison} {criterion.limit}" + (
            "" if criterion.bar == "ours" else f", {criterion.bar} bar"
        )
        lines.append(f"{mark} {criterion.name}: {criterion.value} (must be {limit})\n")
    for name, side in (("before", evidence.before), ("after", evidence.after)):
        lines.append(f"{name}: {side.of}: p50 {side.p50:g}, p95 {side.p95:g}, p99 {side.p99:g} {side.unit}\n")
        lines += [f"  {figure}: {value}\n" for figure, value in side.figures.items()]
    mark = "ok  " if evidence.rollback.validated else "FAIL"
    lines.append(f"{mark} rollback {evidence.rollback.switch}: {evidence.rollback.result}\n")
    return "".join(lines)

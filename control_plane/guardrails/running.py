"""Runs one check, and says how it came out."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from .. import posix, processes
from ..clock import Clock
from .planning import Check
from .surroundings import plain

HEAD, TAIL = 2000, 6000


class Result(NamedTuple):
    """`outcome` passed, failed, timed-out or not-found; `said` the beginning and the end of its output."""

    check: Check
    outcome: str
    exit_code: int | None
    seconds: float
    said: str
    output_bytes: int
    digest: str


def run_check(project: str, check: Check, timeout: float, environment: Mapping[str, str], clock: Clock) -> Result:
    posix.needed_for("a stop check")
    began = clock.monotonic()
    place = os.path.join(project, check.root)
    ran = processes.run(check.command, place, {**plain(environment), "CI": "1"}, timeout, head=HEAD, tail=TAIL)
    took = clock.monotonic() - began
    if ran.fault:
        return Result(check, "not-found", None, took, ran.fault, 0, "")
    outcome = "timed-out" if ran.code is None else "passed" if ran.code == 0 else "failed"
    return Result(check, outcome, ran.code, took, ran.said, ran.size, ran.digest)

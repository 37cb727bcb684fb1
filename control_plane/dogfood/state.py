"""The latest runs of the suite: a fold of what was recorded."""

import msgspec

from ..ledger.events import Event
from .events import RunFinished

KEPT = 100


class Run(msgspec.Struct, frozen=True):
    run: str
    at: float
    commit: str
    verdict: str
    standalone: bool
    passed: int
    failed: int
    skipped: int
    failures: dict[str, str]
    stop_reason: str
    root: str


class Runs(msgspec.Struct):
    """The newest last; `version` counts all of them."""

    latest: list[Run] = []
    version: int = 0


def fold(runs: Runs, event: Event) -> None:
    match event:
        case RunFinished():
            runs.version += 1
            run = Run(
                event.run, event.at, event.commit, event.verdict, event.standalone, event.passed, event.failed,
                event.skipped, event.failures, event.stop_reason, event.root,
            )  # fmt: skip
            runs.latest = [*runs.latest, run][-KEPT:]

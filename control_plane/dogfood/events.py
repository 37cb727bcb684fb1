"""What can happen to the dogfood suite: a run ends, with one hash over all its evidence."""

from typing import ClassVar, Literal

from ..ledger.events import Event


class RunFinished(Event, frozen=True, kw_only=True):
    """`root` is the RFC 6962 root over the run's files; `failures` maps failed cases to their codes."""

    TOPIC: ClassVar[str] = "dogfood.run-finished"
    run: str
    commit: str
    verdict: Literal["PASS", "FAIL"]
    standalone: bool
    passed: int
    failed: int
    skipped: int
    failures: dict[str, str]
    stop_reason: str
    root: str
    key: str


EVENTS: tuple[type[Event], ...] = (RunFinished,)

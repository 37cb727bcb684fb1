"""The way in: looks at the queue, asks the rules, writes what they answer before anybody else does."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from ..clock import new_id
from ..errors import Conflict
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder
from . import rules
from .ages import TARGET_HOURS, Slo, Throughput, age_slo, throughput
from .events import Feedback, Verdict
from .projection import REVIEW
from .state import HOUR, Queue
from .weekly import Report, report

W = TypeVar("W", Verdict, Feedback)
WATCH = "review"
SAMPLE = 10


class Item(msgspec.Struct, frozen=True):
    """One line of the queue; `decided_at` and what follows it are empty while it waits."""

    id: str
    kind: str
    evidence: str
    created: float
    age_hours: float
    status: str
    decided_at: float | None = None
    actor: str = ""
    feedback: str | None = None
    note: str = ""


class Status(msgspec.Struct, frozen=True):
    """`sample` holds what has waited longest."""

    total: int
    pending: int
    by_status: dict[str, int]
    slo: Slo
    throughput: Throughput
    alerting: bool
    alerted: bool
    sample: tuple[Item, ...]


class Review:
    def __init__(
        self, ledger: Ledger, folder: Folder, *, slo: Callable[[], bool], target_hours: float = TARGET_HOURS
    ) -> None:
        self._ledger, self._folder, self._clock = ledger, folder, ledger.clock
        self._slo, self._target = slo, target_hours

    def add(self, kind: str, evidence: str = "", *, item: str | None = None) -> str:
        """Let something wait for a person; answers the name under which it waits."""
        name = new_id(self._clock.now()) if item is None else item

        def decide(queue: Queue) -> tuple[int, list[Event]]:
            return 0, rules.queue_item(queue, name, kind, evidence, self._clock.now())

        try:
            self._write(_stream(name), decide)
        except rules.AlreadyQueued:
            raise
        except Conflict:
            # It was resolved so long ago that only the log remembers.
            raise rules.already_queued(name) from None
        return name

    def resolve(
        self, item: str, verdict: Verdict | str, *, actor: str, feedback: Feedback | str | None = None, note: str = ""
    ) -> None:
        """Decide it; of two who decide at once, one is refused with `review.already-resolved`."""
        said, judged = _word(Verdict, verdict), None if feedback is None else _word(Feedback, feedback)

        def decide(queue: Queue) -> tuple[int, list[Event]]:
            events = rules.resolve_item(queue, item, said, judged, actor, note, self._clock.now())
            return queue.waiting[item].version, events

        self._write(_stream(item), decide)

    def feedback(self, item: str, feedback: Feedback | str, *, actor: str) -> None:
        """Say afterwards how the rule did that had asked."""
        judged = _word(Feedback, feedback)

        def decide(queue: Queue) -> tuple[int, list[Event]]:
            events = rules.give_feedback(queue, item, judged, actor, self._clock.now())
            return queue.resolved[item].version, events

        self._write(_stream(item), decide)

    def watch(self) -> None:
        """Alert when the queue grew too old, say when it is young again, and report each week once."""

        def decide(queue: Queue) -> tuple[int, list[Event]]:
            now = self._clock.now()
            alerts = rules.watch_ages(queue, self._target, now) if self._slo() else []
            return queue.watched, [*alerts, *rules.report_week(queue, now)]

        with self._folder.still():
            due = decide(self._queue)[1]
        if due:
            self._write(WATCH, decide)

    def status(self) -> Status:
        """How many wait, how old they are, and whether that is too old."""
        now = self._clock.now()
        with self._folder.still():
            queue = self._queue
            counts = {"pending": len(queue.waiting), **{str(v): queue.counts.get(v, 0) for v in Verdict}}
            return Status(
                total=sum(counts.values()),
                pending=len(queue.waiting),
                by_status=counts,
                slo=age_slo(queue, self._target, now),
                throughput=throughput(queue, self._target, now),
                alerting=self._slo(),
                alerted=queue.alerted,
                sample=tuple(self._pending(now)[:SAMPLE]),
            )

    def items(self, status: str = "pending", *, kind: str | None = None, limit: int = 100) -> list[Item]:
        """What waits, oldest first, or what was resolved in the last weeks, newest first."""
        if status not in (allowed := ("pending", *Verdict, "all")):
            raise rules.BadItem(f"no review has the status {status!r}", cure=f"use one of {', '.join(allowed)}")
        with self._folder.still():
            found = self._pending(self._clock.now()) if status in ("pending", "all") else []
            found += [item for item in self._resolved() if status in (item.status, "all")]
        return [item for item in found if kind in (None, item.kind)][: max(0, limit)]

    def report(self, weeks_ago: int = 1) -> Report:
        """False positives and negatives, kind by kind, of one week from Monday to Monday; 0 is this one so far."""
        if not 0 <= weeks_ago <= 4:
            raise rules.BadItem("a report is about this week or one of the four before", cure="weeks_ago is 0 to 4")
        with self._folder.still():
            return report(self._queue, weeks_ago, self._clock.now())

    @property
    def _queue(self) -> Queue:
        return self._folder.state(REVIEW)

    def _pending(self, now: float) -> list[Item]:
        waiting = sorted(self._queue.waiting.items(), key=lambda pair: pair[1].since)
        return [
            Item(name, w.kind, w.evidence, w.since, max(0.0, now - w.since) / HOUR, "pending") for name, w in waiting
        ]

    def _resolved(self) -> list[Item]:
        return [
            Item(
                name, r.kind, r.evidence, r.since, (r.at - r.since) / HOUR, r.verdict, r.at, r.actor, r.feedback, r.note
            )
            for name, r in reversed(self._queue.resolved.items())
        ]

    def _write(self, stream: str, decide: Callable[[Queue], tuple[int, list[Event]]]) -> None:
        """Whoever was overtaken looks again, and may find that there is nothing left to decide."""

        def seen() -> deciding.Decision[None]:
            with self._folder.still():
                return deciding.Decision(*decide(self._queue), None)

        deciding.write(self._ledger, self._folder, stream, seen)


def _stream(item: str) -> str:
    return f"review-{item}"


def _word(words: type[W], given: W | str) -> W:
    try:
        return words(given)
    except ValueError:
        raise rules.BadItem(f"{given!r} is not known to the review queue", cure=f"use {', '.join(words)}") from None

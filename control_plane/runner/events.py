"""What can happen in a run; each run is one stream, so that it can be replayed and shown afterwards."""

from typing import ClassVar, Literal

from ..ledger.events import Event

Outcome = Literal["completed", "stuck", "aborted", "max-iterations", "worker-failed", "lost"]
Verdict = Literal["verified", "failed", "unverifiable", "stale"]


class RunEvent(Event, frozen=True, kw_only=True):
    run: str


class RunBegun(RunEvent, frozen=True, kw_only=True):
    """`pid` and `host` tell later whether its process lives."""

    TOPIC: ClassVar[str] = "runner.run-begun"
    task: str
    directory: str
    model: str = ""
    max_iterations: int
    inactivity_s: float
    reviewer: str = ""
    tree: str = ""
    pid: int = 0
    host: str = ""
    resumes: str = ""


class WorkerStarted(RunEvent, frozen=True, kw_only=True):
    """The worker's program runs, its events are read, its session is open."""

    TOPIC: ClassVar[str] = "runner.worker-started"
    session: str
    version: str = ""
    pid: int = 0
    seconds: float = 0.0


class PromptSent(RunEvent, frozen=True, kw_only=True):
    """`source` task, reviewer, detector, checks, inactivity, retry or resume; all but the first are feedback.

    `decision` is the router's, where it chose the model.
    """

    TOPIC: ClassVar[str] = "runner.prompt-sent"
    iteration: int
    source: str
    text: str
    model: str = ""
    decision: str = ""


class CallSeen(RunEvent, frozen=True, kw_only=True):
    """A tool call that ended: what the detector compares, as digests, and its beginning for people."""

    TOPIC: ClassVar[str] = "runner.call-seen"
    iteration: int
    tool: str
    call: str
    result: str
    target: str
    tree: str
    failing: bool
    waiting: bool
    shown: str = ""


class TextSeen(RunEvent, frozen=True, kw_only=True):
    """A message of the worker; a long one is cut."""

    TOPIC: ClassVar[str] = "runner.text-seen"
    iteration: int
    text: str


class LoopFound(RunEvent, frozen=True, kw_only=True):
    """The worker goes round; `answer` is the rung that was taken."""

    TOPIC: ClassVar[str] = "runner.loop-found"
    iteration: int
    kind: str
    period: int
    repeats: int
    times: int
    why: str
    answer: Literal["nudge", "review", "abort"]


class Reviewed(RunEvent, frozen=True, kw_only=True):
    """What the reviewer said, or with an empty `action` why it said nothing."""

    TOPIC: ClassVar[str] = "runner.reviewed"
    iteration: int
    action: str
    reason: str = ""
    feedback: str = ""
    tries: int = 1
    errors: tuple[str, ...] = ()


class WorkerErred(RunEvent, frozen=True, kw_only=True):
    """`kind` model, retries, permission, stall, stream or died."""

    TOPIC: ClassVar[str] = "runner.worker-erred"
    iteration: int
    kind: str
    what: str
    status: int = 0


class VerdictReached(RunEvent, frozen=True, kw_only=True):
    """Bound to the workspace's hash and to the command that was run there; `missing` was expected and did not come."""

    TOPIC: ClassVar[str] = "runner.verdict-reached"
    iteration: int
    verdict: Verdict
    reason: str
    tree: str
    command: tuple[str, ...] = ()
    exit_code: int | None = None
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    known: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class StopAsked(RunEvent, frozen=True, kw_only=True):
    """Somebody wants the run to end; its own process heeds it."""

    TOPIC: ClassVar[str] = "runner.stop-asked"
    by: str


class RunEnded(RunEvent, frozen=True, kw_only=True):
    """How it came out; `verdict` is that of the last check."""

    TOPIC: ClassVar[str] = "runner.run-ended"
    outcome: Outcome
    exit_code: int
    reason: str
    verdict: str = ""
    iterations: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


class NoticeQueued(RunEvent, frozen=True, kw_only=True):
    """A notification that is owed until it is delivered or dead; of its address the host and a digest."""

    TOPIC: ClassVar[str] = "runner.notice-queued"
    notice: str
    url: str
    body: str


class NoticeDelivered(RunEvent, frozen=True, kw_only=True):
    """An endpoint took it."""

    TOPIC: ClassVar[str] = "runner.notice-delivered"
    notice: str
    tries: int
    status: int


class NoticeDead(RunEvent, frozen=True, kw_only=True):
    """Nobody took it: a dead letter, kept with what was tried last."""

    TOPIC: ClassVar[str] = "runner.notice-dead"
    notice: str
    tries: int
    why: str


EVENTS: tuple[type[Event], ...] = (
    RunBegun, WorkerStarted, PromptSent, CallSeen, TextSeen, LoopFound, Reviewed, WorkerErred, VerdictReached,
    StopAsked, RunEnded, NoticeQueued, NoticeDelivered, NoticeDead,
)  # fmt: skip

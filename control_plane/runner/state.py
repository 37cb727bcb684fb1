"""What is known of every run, folded from the log."""

from itertools import islice
from typing import TypeVar

import msgspec

from ..ledger.events import Event
from . import events as e

T = TypeVar("T")

# Of the newest runs it is kept what they did, of the older ones what came of them; the log has all.
KEPT_RUNS, KEPT_STORIES, KEPT_CALLS, KEPT_LINES = 500, 50, 256, 40
SHOWN = 400


class Call(msgspec.Struct):
    """A call as the detector needs it again after a restart."""

    call: str
    result: str
    target: str
    tree: str
    failing: bool
    waiting: bool
    at: float


class Turn(msgspec.Struct, frozen=True):
    """What the worker was told, by whom, and which model it was for."""

    iteration: int
    at: float
    source: str
    text: str
    model: str
    decision: str


class Happened(msgspec.Struct, frozen=True):
    """A loop that was found, a reviewer's word, or an error: `kind` in its own words, `answer` what was done."""

    iteration: int
    at: float
    kind: str
    what: str
    answer: str = ""


class Check(msgspec.Struct, frozen=True):
    """The last verdict with its three witnesses: the command's end and counts, the files, the workspace's hash."""

    iteration: int
    at: float
    verdict: str
    reason: str
    tree: str
    command: tuple[str, ...]
    exit_code: int | None
    passed: int
    failed: int
    skipped: int
    changed: tuple[str, ...]
    changes: int
    missing: tuple[str, ...]


class Story(msgspec.Struct):
    turns: list[Turn] = []
    loops: list[Happened] = []
    reviews: list[Happened] = []
    troubles: list[Happened] = []
    check: Check | None = None


class Run(msgspec.Struct):
    id: str
    task: str
    directory: str
    begun: float
    model: str = ""
    decision: str = ""
    reviewer: str = ""
    max_iterations: int = 0
    pid: int = 0
    host: str = ""
    resumes: str = ""
    tree: str = ""
    session: str = ""
    iteration: int = 0
    calls: int = 0
    loops: int = 0
    reviews: int = 0
    outcome: str = ""
    exit_code: int | None = None
    reason: str = ""
    verdict: str = ""
    ended: float = 0.0
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    stop_asked: str = ""
    newest: list[Call] = []
    story: Story = msgspec.field(default_factory=Story)


class Notice(msgspec.Struct):
    run: str
    url: str
    body: str
    at: float
    dead: bool = False
    why: str = ""


class Runs(msgspec.Struct):
    """`owed`: notifications that nobody has taken, the dead ones among them."""

    runs: dict[str, Run] = {}
    owed: dict[str, Notice] = {}


def fold(state: Runs, event: Event) -> None:
    if isinstance(event, e.RunBegun):
        state.runs[event.run] = Run(
            event.run, event.task, event.directory, event.at, event.model, reviewer=event.reviewer,
            max_iterations=event.max_iterations, pid=event.pid, host=event.host, resumes=event.resumes, tree=event.tree,
        )  # fmt: skip
        if len(state.runs) > KEPT_RUNS:
            del state.runs[next(iter(state.runs))]
        if len(state.runs) > KEPT_STORIES:
            state.runs[next(islice(reversed(state.runs), KEPT_STORIES, None))].story = Story()
    elif isinstance(event, (e.NoticeQueued, e.NoticeDelivered, e.NoticeDead)):
        _notices(state, event)
    elif isinstance(event, e.RunEvent) and event.run in state.runs:
        _run(state.runs[event.run], event)


def _run(run: Run, event: e.RunEvent) -> None:
    _story(run.story, event)
    if isinstance(event, e.WorkerStarted):
        run.session = event.session
    elif isinstance(event, e.PromptSent):
        run.iteration, run.model, run.decision = event.iteration, event.model or run.model, event.decision
    elif isinstance(event, e.CallSeen):
        run.calls += 1
        run.newest.append(
            Call(event.call, event.result, event.target, event.tree, event.failing, event.waiting, event.at)
        )
        del run.newest[:-KEPT_CALLS]
    elif isinstance(event, e.LoopFound):
        run.loops += 1
    elif isinstance(event, e.Reviewed):
        run.reviews += 1
    elif isinstance(event, e.VerdictReached):
        run.verdict = event.verdict
    elif isinstance(event, e.StopAsked):
        run.stop_asked = run.stop_asked or event.by
    elif isinstance(event, e.RunEnded):
        _ended(run, event)


def _ended(run: Run, event: e.RunEnded) -> None:
    run.outcome, run.exit_code, run.reason = event.outcome, event.exit_code, event.reason
    run.verdict, run.ended, run.cost_usd = event.verdict or run.verdict, event.at, event.cost_usd
    run.tokens_in, run.tokens_out = event.tokens_in, event.tokens_out
    if event.outcome not in ("lost", "aborted"):
        # Only those that may be resumed need their calls again.
        run.newest = []


def _story(story: Story, event: e.RunEvent) -> None:
    if isinstance(event, e.PromptSent):
        text = event.text[:SHOWN]
        _keep(story.turns, Turn(event.iteration, event.at, event.source, text, event.model, event.decision))
    elif isinstance(event, e.LoopFound):
        _keep(story.loops, Happened(event.iteration, event.at, event.kind, event.why[:SHOWN], event.answer))
    elif isinstance(event, e.Reviewed):
        said = event.reason if event.action else "; ".join(event.errors)
        _keep(story.reviews, Happened(event.iteration, event.at, event.action or "no answer", said[:SHOWN]))
    elif isinstance(event, e.WorkerErred):
        _keep(story.troubles, Happened(event.iteration, event.at, event.kind, event.what[:SHOWN]))
    elif isinstance(event, e.VerdictReached):
        story.check = _checked(event)


def _keep(lines: list[T], line: T) -> None:
    lines.append(line)
    del lines[:-KEPT_LINES]


def _checked(event: e.VerdictReached) -> Check:
    return Check(
        event.iteration, event.at, event.verdict, event.reason[:SHOWN], event.tree, event.command, event.exit_code,
        event.passed, event.failed, event.skipped, event.changed[:KEPT_LINES], len(event.changed), event.missing,
    )  # fmt: skip


def _notices(state: Runs, event: e.NoticeQueued | e.NoticeDelivered | e.NoticeDead) -> None:
    if isinstance(event, e.NoticeQueued):
        state.owed[event.notice] = Notice(event.run, event.url, event.body, event.at)
    elif isinstance(event, e.NoticeDelivered):
        state.owed.pop(event.notice, None)
    elif event.notice in state.owed:
        state.owed[event.notice].dead, state.owed[event.notice].why = True, event.why

"""What is known of every run, folded from the log."""

import msgspec

from ..ledger.events import Event
from . import events as e

KEPT_RUNS, KEPT_CALLS = 500, 256


class Call(msgspec.Struct):
    """A call as the detector needs it again after a restart."""

    call: str
    result: str
    target: str
    tree: str
    failing: bool
    waiting: bool
    at: float


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
    newest: list[Call] = []


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
            event.run, event.task, event.directory, event.at, event.model, event.decision, event.reviewer,
            event.max_iterations, event.pid, event.host, event.resumes, event.tree,
        )  # fmt: skip
        if len(state.runs) > KEPT_RUNS:
            del state.runs[next(iter(state.runs))]
    elif isinstance(event, (e.NoticeQueued, e.NoticeDelivered, e.NoticeDead)):
        _notices(state, event)
    elif isinstance(event, e.RunEvent) and event.run in state.runs:
        _run(state.runs[event.run], event)


def _run(run: Run, event: e.RunEvent) -> None:
    if isinstance(event, e.WorkerStarted):
        run.session = event.session
    elif isinstance(event, e.PromptSent):
        run.iteration, run.model = event.iteration, event.model or run.model
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
    elif isinstance(event, e.RunEnded):
        run.outcome, run.exit_code, run.reason = event.outcome, event.exit_code, event.reason
        run.verdict, run.ended, run.cost_usd = event.verdict or run.verdict, event.at, event.cost_usd
        if event.outcome not in ("lost", "aborted"):
            # Only those that may be resumed need their calls again.
            run.newest = []


def _notices(state: Runs, event: e.NoticeQueued | e.NoticeDelivered | e.NoticeDead) -> None:
    if isinstance(event, e.NoticeQueued):
        state.owed[event.notice] = Notice(event.run, event.url, event.body, event.at)
    elif isinstance(event, e.NoticeDelivered):
        state.owed.pop(event.notice, None)
    elif event.notice in state.owed:
        state.owed[event.notice].dead, state.owed[event.notice].why = True, event.why

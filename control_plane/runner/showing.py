"""A run as people look at it: one line in a list, or with all that happened."""

import msgspec

from .state import Run, Story


class Line(msgspec.Struct, frozen=True):
    """`state` is running, stopping, gone (its process ended without a word), or the outcome."""

    run: str
    task: str
    state: str
    verdict: str
    iteration: int
    max_iterations: int
    calls: int
    loops: int
    model: str
    cost_usd: float
    begun: float
    ended: float


class Details(msgspec.Struct, frozen=True):
    """`story` holds the latest lines of each kind; of older runs only what came of them."""

    line: Line
    directory: str
    decision: str
    session: str
    reviewer: str
    resumes: str
    reason: str
    exit_code: int | None
    reviews: int
    tokens_in: int
    tokens_out: int
    stop_asked: str
    story: Story


def line_of(run: Run, *, gone: bool) -> Line:
    state = run.outcome or ("gone" if gone else "stopping" if run.stop_asked else "running")
    return Line(
        run.id, run.task, state, run.verdict, run.iteration, run.max_iterations, run.calls, run.loops, run.model,
        run.cost_usd, run.begun, run.ended,
    )  # fmt: skip


def details_of(run: Run, *, gone: bool) -> Details:
    """A copy: the fold goes on while somebody reads it."""
    told = run.story
    story = Story(told.turns[:], told.loops[:], told.reviews[:], told.troubles[:], told.check)
    return Details(
        line_of(run, gone=gone), run.directory, run.decision, run.session, run.reviewer, run.resumes, run.reason,
        run.exit_code, run.reviews, run.tokens_in, run.tokens_out, run.stop_asked, story,
    )  # fmt: skip

"""What a run does next: pure, so that every turn of it can be tried without a worker."""

from typing import Literal, NamedTuple

from .detector import Loop
from .events import Outcome

EXITS: dict[Outcome, int] = {
    "completed": 0, "stuck": 3, "aborted": 3, "max-iterations": 4, "worker-failed": 5, "lost": 5,
}  # fmt: skip
REVIEW_AT, ABORT_AT = 2, 3
FATAL = (400, 401, 402, 403, 404)
Answer = Literal["nudge", "review", "abort"]


class Review(NamedTuple):
    """What a reviewer said."""

    action: str
    reason: str = ""
    feedback: str = ""


class Next(NamedTuple):
    """`outcome` ends the run; else `feedback` is what the worker is told next."""

    outcome: Outcome | None
    reason: str
    feedback: str = ""
    source: str = ""


def answer_to(loop: Loop, found: int) -> Answer:
    """One rung higher each time, be it the same loop that goes on or another one."""
    rung = max(loop.times, found)
    if rung >= ABORT_AT:
        return "abort"
    return "review" if rung >= REVIEW_AT else "nudge"


def nudge(loop: Loop) -> str:
    return (
        f"You are going round in a loop: {loop.why}. Do not repeat it. Say in one sentence what you learned from it, "
        "then take another way, or stop and say what keeps you from finishing."
    )


def after_idle(review: Review | None, verdict: str, reason: str, told: str) -> Next:
    """The worker stopped by itself. A green run of its own tests outweighs words; words outweigh nothing at all."""
    if review is not None and review.action in ("stuck", "abort"):
        return Next("stuck" if review.action == "stuck" else "aborted", f"reviewer: {review.reason}")
    if verdict == "failed":
        return Next(None, reason, f"This is not finished: {reason}.\n{told}".strip(), "checks")
    if review is not None and review.action == "continue":
        return Next(None, review.reason, review.feedback or review.reason or "Go on with the task.", "reviewer")
    if verdict == "stale":
        return Next(None, reason, f"The last check no longer holds: {reason}. Check again.", "checks")
    if verdict == "verified":
        return Next("completed", reason)
    said = f"reviewer: {review.reason}" if review is not None else "the worker stopped"
    return Next("completed", f"{said}; unverifiable: {reason}")


def after_loop(review: Review | None, loop: Loop) -> Next:
    """At the second rung the reviewer has a say; without one it is a second nudge."""
    if review is None:
        return Next(None, loop.why, nudge(loop), "detector")
    if review.action in ("stuck", "abort"):
        return Next("stuck" if review.action == "stuck" else "aborted", f"reviewer: {review.reason}")
    return Next(
        None, loop.why, f"{nudge(loop)}\n{review.feedback}".strip(), "reviewer" if review.feedback else "detector"
    )


def error_kind(status: int) -> str:
    """How the router is told."""
    if status == 429:
        return "rate_limit"
    return "caller" if status in FATAL else "server"

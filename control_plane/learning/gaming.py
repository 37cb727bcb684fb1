"""Whether a run of successes looks too good to be true, over the last ten minutes of each key."""

from typing import Literal

import msgspec

from .events import RecordAccepted

WINDOW = 600.0
# A key that sends more than this in ten minutes is judged by its latest.
MOST = 1024
IDENTICAL, TRIVIAL, PERFECT, PERFECT_ABOVE = 3, 5, 5, 0.95
TOOL_SHARE, TOOL_LEAST = 0.8, 5
# A success that changed no more lines than this was none.
TRIVIAL_LINES = 1

Verdict = Literal["allow", "review", "block"]


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    at: float
    same: str
    trivial: bool
    perfect: bool
    tool: str | None


class Run(msgspec.Struct):
    """What one key claimed of late, counted as it comes and goes."""

    claims: list[Claim] = []
    same: dict[str, int] = {}
    tools: dict[str, int] = {}
    trivial: int = 0
    perfect: int = 0
    with_tool: int = 0
    told: str = "allow"


def is_claim(event: RecordAccepted) -> bool:
    """Only what speaks well of somebody can be gamed."""
    return event.kind == "positive-pattern" or event.success is True


def judge(run: Run, event: RecordAccepted) -> tuple[Verdict, tuple[str, ...]]:
    """Take the claim into account; the verdict on it, and the signs that led there."""
    trivial = event.lines_changed is not None and event.lines_changed <= TRIVIAL_LINES
    perfect = event.metric is not None and event.metric > PERFECT_ABOVE
    same = "\x1f".join(
        (event.kind, event.task_type, event.pattern or "", event.repo or "", event.tool or "", event.error_type or "")
    )
    _count(run, Claim(event.at, same, trivial, perfect, event.tool), 1)
    gone = 0
    while run.claims[gone].at <= event.at - WINDOW or len(run.claims) - gone > MOST:
        gone += 1
    for claim in run.claims[:gone]:
        _count(run, claim, -1)
    del run.claims[:gone]
    signs = []
    if run.trivial >= TRIVIAL and trivial:
        signs.append("trivial fixes")
    if run.same[same] >= IDENTICAL:
        signs.append("identical successes")
    if run.perfect >= PERFECT and perfect:
        signs.append("metrics too good")
    if event.tool and run.with_tool >= TOOL_LEAST and run.tools[event.tool] > TOOL_SHARE * run.with_tool:
        signs.append("one tool for everything")
    verdict: Verdict = "allow" if not signs else "block" if signs[0] == "trivial fixes" else "review"
    return verdict, tuple(signs)


def _count(run: Run, claim: Claim, by: int) -> None:
    if by > 0:
        run.claims.append(claim)
    run.trivial += by * claim.trivial
    run.perfect += by * claim.perfect
    run.with_tool += by * (claim.tool is not None)
    for counts, name in ((run.same, claim.same), (run.tools, claim.tool)):
        if name is not None:
            left = counts.get(name, 0) + by
            if left:
                counts[name] = left
            else:
                del counts[name]

"""An advice's event as bytes: what stays the same for a table and an arm is encoded once, the rest is put in front."""

import msgspec

from .events import AdviceGiven
from .request import Request
from .terms import Task

_HEAD = b'{"v":1,"at":%b,"decision":"%b","seed":%d,%b'
_START = b'{"v":1,"at":0.0,"decision":"","seed":0,'
_encode = msgspec.json.Encoder().encode

# A task's fields that are no part of the request; most tasks leave them alone.
Details = tuple[int, str | float | None, str | None, str | None, int | None, tuple[str, ...], str | None]
NO_DETAILS: Details = (1, None, None, None, None, (), None)


def details(task: Task) -> Details:
    return (task.attempt, task.complexity, task.error_type, task.tool, task.tokens_in, task.files, task.description)


def event_bytes(now: float, decision: str, seed: int, tail: bytes, session: str | None) -> bytes:
    if session is not None:
        tail = b'"session":%b,%b' % (_encode(session), tail)
    return _HEAD % (_encode(now), decision.encode(), seed, tail)


def tail_of(
    request: Request, position: int, compiled_at: float, declared: str, arm: str, strategy: str, propensity: float,
    path_hash: str, probed: bool, bypassed: tuple[str, ...], told: Details = NO_DETAILS, *,
    captured: bool = True, ahead: int = 0,
) -> bytes:  # fmt: skip
    """Everything behind time, id, seed and session; a task's text leaves only its size."""
    attempt, complexity, error_type, tool, tokens_in, files, description = told
    event = AdviceGiven(
        at=0.0, decision="", seed=0,
        position=position, compiled_at=compiled_at, declared=declared, ahead=ahead,
        arm=arm, strategy=strategy, propensity=propensity, path_hash=path_hash, probed=probed, bypassed=bypassed,
        task_type=request.task_type, repo=request.repo, incumbent=request.incumbent, stuck=request.stuck,
        required_tools=request.required_tools, strengths=request.strengths, candidates=request.candidates,
        budget_usd=request.budget_usd, deadline_ms=request.deadline_ms,
        override=request.override, in_tool_loop=request.in_tool_loop,
        attempt=attempt, complexity=complexity, error_type=error_type, tool=tool, tokens_in=tokens_in,
        files=len(files), description_bytes=len(description.encode()) if description else 0,
    )  # fmt: skip
    encoded = _encode(event if captured else _without_inputs(event))
    assert encoded.startswith(_START), "the fields that vary come first"
    return encoded[len(_START) :]


def _without_inputs(event: AdviceGiven) -> AdviceGiven:
    """What remains without replay capture: that it was decided, not what from."""
    return AdviceGiven(
        at=event.at,
        decision=event.decision,
        seed=event.seed,
        position=0,
        compiled_at=0.0,
        declared="",
        task_type=event.task_type,
        arm=event.arm,
        strategy=event.strategy,
        propensity=event.propensity,
        path_hash=event.path_hash,
        repo=event.repo,
        probed=event.probed,
        attempt=event.attempt,
        complexity=event.complexity,
        error_type=event.error_type,
        tool=event.tool,
        files=event.files,
        description_bytes=event.description_bytes,
        captured=False,
    )

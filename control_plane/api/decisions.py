"""Advice, its results, and why it was given."""

from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody

from ..access.tokens import may
from ..router.explain import Explanation
from ..router.terms import Advice, Task
from .given import Plane


class TaskBody(Task, frozen=True, forbid_unknown_fields=True):
    """A task; only `type` must be there."""


class ResultBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of a decision, or of an arm that was used without one."""

    decision_id: str | None = None
    arm: str | None = None
    task: TaskBody | None = None
    success: bool | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str | None = None
    step: int = 0
    verified: bool | None = None
    retry_after_s: float | None = None
    model_served: str | None = None


class Recorded(msgspec.Struct, frozen=True):
    recorded: bool


@post("/api/advise", status_code=200, summary="Which arm takes this task?")
async def advise(data: JSONBody[TaskBody], request: Request[Any, Any, Any], plane: Plane) -> Advice:
    may(request.state.caller, "participant")
    return plane.advise(data)


@post("/api/results", status_code=200, summary="What came of it")
async def results(data: JSONBody[ResultBody], request: Request[Any, Any, Any], plane: Plane) -> Recorded:
    """Once this is answered the result survives the end of the process; an identical repeat changes nothing."""
    may(request.state.caller, "participant")
    told = {name: getattr(data, name) for name in ResultBody.__struct_fields__}
    plane.record_result(**told)
    return Recorded(True)


@get("/api/decisions/{decision_id:str}", summary="Why this arm, and what would have changed it")
async def decision(decision_id: FromPath[str], plane: Plane) -> Explanation:
    return await anyio.to_thread.run_sync(plane.explain, decision_id)


HANDLERS = (advise, results, decision)

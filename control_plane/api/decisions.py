"""Advice, its results, and why it was given."""

from time import perf_counter
from typing import Any

import anyio.to_thread
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody

from ..access.tokens import may
from ..router.explain import Explanation
from ..router.terms import Advice
from .bodies import Recorded, ResultBody, TaskBody
from .given import Measures, Plane, Tracing


@post("/api/advise", status_code=200, summary="Which arm takes this task?")
async def advise(
    data: JSONBody[TaskBody], request: Request[Any, Any, Any], plane: Plane, meters: Measures, spans: Tracing
) -> Advice:
    """Plain requests do not come here: `lean` answers them and leaves to this what it does not take."""
    may(request.state.caller, "participant")
    begun = perf_counter()
    advice = plane.advise(data)
    meters.decided(perf_counter() - begun)
    if spans is not None:
        spans.advised(data, advice)
    return advice


@post("/api/results", status_code=200, summary="What came of it")
async def results(
    data: JSONBody[ResultBody], request: Request[Any, Any, Any], plane: Plane, spans: Tracing
) -> Recorded:
    """Once this is answered the result survives the end of the process; an identical repeat changes nothing."""
    may(request.state.caller, "participant")
    told = {name: getattr(data, name) for name in ResultBody.__struct_fields__}
    plane.record_result(**told)
    if spans is not None:
        arm = data.arm or plane.subject_of(data.decision_id).arm
        spans.came_of(told, arm, plane.ledger.clock.now())
    return Recorded(True)


@get("/api/decisions/{decision_id:str}", summary="Why this arm, and what would have changed it")
async def decision(decision_id: FromPath[str], plane: Plane) -> Explanation:
    return await anyio.to_thread.run_sync(plane.explain, decision_id)


HANDLERS = (advise, results, decision)

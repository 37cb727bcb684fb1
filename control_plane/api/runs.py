"""Runs of workers: what they do and came to, and the word that ends one."""

from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, get, post
from litestar.params import FromPath

from ..access.tokens import may, may_read_the_log
from ..runner.showing import Details, Line
from .given import Plane
from .policies import actor_of


class Runs(msgspec.Struct, frozen=True):
    """The newest first."""

    runs: list[Line]


@get("/api/runs", summary="The runs of workers, the newest first")
async def runs(request: Request[Any, Any, Any], plane: Plane) -> Runs:
    may_read_the_log(request.state.caller)
    return Runs(await anyio.to_thread.run_sync(plane.runs.shown))


@get("/api/runs/{run:str}", summary="One run: turns, loops, the verdict with its witnesses, what it cost")
async def run(run: FromPath[str], request: Request[Any, Any, Any], plane: Plane) -> Details:
    may_read_the_log(request.state.caller)
    return await anyio.to_thread.run_sync(plane.runs.told, run)


@post("/api/runs/{run:str}/stop", status_code=200, summary="End a run in good order, wherever its process is")
async def stop(run: FromPath[str], request: Request[Any, Any, Any], plane: Plane) -> Details:
    may(request.state.caller, "operator")
    actor = actor_of(request)

    def end() -> Details:
        plane.runs.ask_to_stop(run, actor)
        return plane.runs.told(run)

    return await anyio.to_thread.run_sync(end)


HANDLERS = (runs, run, stop)

"""What the dashboard reads: all panels in one look, the events behind a number, and that the log only grew."""

import base64
from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, get
from litestar.params import FromQuery

from ..access.tokens import may_read_the_log
from ..dashboard.browsing import Filter, Page, browse
from ..dashboard.panels import Looker, Panels
from ..errors import BadInput
from ..plane import ControlPlane
from .given import Plane

HIGHEST = (1 << 63) - 1


class Extension(msgspec.Struct, frozen=True):
    """The hashes (base64) that lead from the log of `since` events to that of `note`, which is signed."""

    since: int
    path: list[str]
    note: str
    verifier_key: str


def looker_of(request: Request[Any, Any, Any], plane: ControlPlane) -> Looker:
    """One for each application; it remembers what it has read of the log."""
    state = request.app.state
    if "looker" not in state:
        state["looker"] = Looker(plane)
    found: Looker = state["looker"]
    return found


@get("/api/panels", summary="Everything that the dashboard shows")
async def panels(request: Request[Any, Any, Any], plane: Plane, window: FromQuery[int] = 0) -> Panels:
    """`window` in seconds is 900, 3600, 21600, 86400, 604800 or 2592000; 0 takes what fits."""
    may_read_the_log(request.state.caller)
    looker = looker_of(request, plane)
    return await anyio.to_thread.run_sync(looker.look, window or None)


@get("/api/panels/events", summary="The events behind a number, newest first")
async def behind(
    request: Request[Any, Any, Any],
    plane: Plane,
    topic: FromQuery[str] = "",
    field: FromQuery[str] = "",
    value: FromQuery[str] = "",
    since: FromQuery[int] = 1,
    before: FromQuery[int] = 0,
    limit: FromQuery[int] = 50,
) -> Page:
    """`topic`: beginnings of topics, with commas between; `field` and `value`: what an event must hold."""
    may_read_the_log(request.state.caller)
    _check(since, before)
    wanted = Filter(tuple(filter(None, topic.split(","))), field, value, since)
    return await anyio.to_thread.run_sync(browse, plane.ledger, wanted, before or None, limit)


@get("/api/panels/extension", summary="The proof that the log has only grown since a position")
async def extension(plane: Plane, since: FromQuery[int] = 0) -> Extension:
    _check(since)

    def look() -> Extension:
        plane.flush()
        size = plane.ledger.checkpoint()[1].size
        if since > size:
            raise BadInput(f"there is no position {since}", cure=f"the log has {size}")
        path, note = plane.ledger.extension(since)
        return Extension(since, [base64.b64encode(one).decode() for one in path], note, plane.verifier_key())

    return await anyio.to_thread.run_sync(look)


def _check(*positions: int) -> None:
    for position in positions:
        if not 0 <= position <= HIGHEST:
            raise BadInput(f"{position} is no position", cure="positions count from 1")


HANDLERS = (panels, behind, extension)

"""The runs of the dogfood suite, as the ledger has them."""

from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, get

from ..access.tokens import may_read_the_log
from ..dogfood.state import Run
from .given import Plane


class Runs(msgspec.Struct, frozen=True):
    """The newest first."""

    runs: list[Run]


@get("/api/dogfood/runs", summary="The runs of the dogfood suite, the newest first")
async def runs(request: Request[Any, Any, Any], plane: Plane) -> Runs:
    may_read_the_log(request.state.caller)
    return Runs((await anyio.to_thread.run_sync(plane.dogfood.runs))[::-1])


HANDLERS = (runs,)

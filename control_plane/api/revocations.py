"""Tokens that are let in no more."""

from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, post
from litestar.params import FromPath, JSONBody

from ..access.revoking import revoke
from ..access.tokens import may
from .given import Plane
from .policies import Reason, actor_of


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Reason


class Revoked(msgspec.Struct, frozen=True):
    jti: str
    at: float


@post("/api/tokens/{jti:str}/revoke", status_code=200, summary="Let in the token with this jti no more")
async def revocation(jti: FromPath[str], data: JSONBody[Why], request: Request[Any, Any, Any], plane: Plane) -> Revoked:
    may(request.state.caller, "admin")
    actor = actor_of(request)
    event = await anyio.to_thread.run_sync(lambda: revoke(plane.ledger, jti, actor=actor, reason=data.reason))
    return Revoked(event.jti, event.at)


HANDLERS = (revocation,)

"""Policies on their way from draft to enforce, the reviews that wait, and the flags."""

from typing import Annotated, Any

import anyio.to_thread
import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from ..access.tokens import Caller, may
from ..governance.service import Shown
from ..review.service import Item, Status
from .given import Plane

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class Proposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as TOML."""

    document: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000)]
    reason: Reason


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage on; the envelopes are the artifacts that the gates ask for, else the newest recorded ones count."""

    reason: Reason
    to: str | None = None
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    simulation: str | None = None
    evaluation: str | None = None


class Back(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: Reason


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    verdict: str
    feedback: str | None = None
    note: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class PolicyDetails(msgspec.Struct, frozen=True):
    standing: Shown
    gates: dict[str, str]
    document: dict[str, Any]


class Reviews(msgspec.Struct, frozen=True):
    status: Status
    items: list[Item]


class Flip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`value` of null takes the flip back."""

    value: str | None
    reason: Reason


def actor_of(request: Request[Any, Any, Any]) -> str:
    caller: Caller = request.state.caller
    return caller.subject


@get("/api/policies", summary="Every policy and its stage")
async def policies(plane: Plane) -> list[Shown]:
    return list(await anyio.to_thread.run_sync(plane.policies.list))


@get("/api/policies/{name:str}", summary="One policy: standing, gates, content")
async def policy(name: FromPath[str], plane: Plane) -> PolicyDetails:
    def look() -> PolicyDetails:
        shown = plane.policies.show(name)
        gates = {kind: judged.verdict for kind, judged in plane.policies.judge(name).items()}
        return PolicyDetails(shown, gates, msgspec.to_builtins(plane.policies.document(name)))

    return await anyio.to_thread.run_sync(look)


@post("/api/policies", status_code=200, summary="Propose a new revision")
async def propose(data: JSONBody[Proposal], request: Request[Any, Any, Any], plane: Plane) -> Shown:
    may(request.state.caller, "operator")
    actor = actor_of(request)
    return await anyio.to_thread.run_sync(
        lambda: plane.policies.propose(data.document, actor=actor, reason=data.reason)
    )


@post("/api/policies/{name:str}/advance", status_code=200, summary="One stage on, when the gates before it open")
async def advance(name: FromPath[str], data: JSONBody[Step], request: Request[Any, Any, Any], plane: Plane) -> Shown:
    may(request.state.caller, "operator")
    actor = actor_of(request)

    def step() -> Shown:
        offers = {kind: text.encode() if text else None for kind, text in _offers(data).items()}
        return plane.policies.advance(name, actor=actor, reason=data.reason, to=data.to, share=data.share, **offers)

    return await anyio.to_thread.run_sync(step)


@post("/api/policies/{name:str}/rollback", status_code=200, summary="One stage back")
async def rollback(name: FromPath[str], data: JSONBody[Back], request: Request[Any, Any, Any], plane: Plane) -> Shown:
    may(request.state.caller, "operator")
    actor = actor_of(request)
    return await anyio.to_thread.run_sync(lambda: plane.policies.rollback(name, actor=actor, reason=data.reason))


@get("/api/policy-review", summary="What waits for a person")
async def reviews(plane: Plane, status: FromQuery[str] = "pending", limit: FromQuery[int] = 100) -> Reviews:
    return await anyio.to_thread.run_sync(
        lambda: Reviews(plane.review.status(), plane.review.items(status, limit=min(max(limit, 0), 1000)))
    )


@post("/api/policy-review/{item:str}", status_code=200, summary="Decide one of them")
async def resolve(
    item: FromPath[str], data: JSONBody[Resolution], request: Request[Any, Any, Any], plane: Plane
) -> Status:
    may(request.state.caller, "operator")
    actor = actor_of(request)

    def decide() -> Status:
        plane.review.resolve(item, data.verdict, actor=actor, feedback=data.feedback, note=data.note)
        return plane.review.status()

    return await anyio.to_thread.run_sync(decide)


@get("/api/flags", summary="Every flag, its value, and where that comes from")
async def flags(plane: Plane) -> list[dict[str, str]]:
    return [one._asdict() for one in await anyio.to_thread.run_sync(plane.explained_flags)]


@post("/api/flags/{name:str}", status_code=200, summary="Flip a flag by a signed event")
async def flip(
    name: FromPath[str], data: JSONBody[Flip], request: Request[Any, Any, Any], plane: Plane
) -> dict[str, str]:
    may(request.state.caller, "admin")
    actor = actor_of(request)
    await anyio.to_thread.run_sync(lambda: plane.flips.flip(name, data.value, actor=actor, reason=data.reason))
    return next(one._asdict() for one in plane.explained_flags() if one.name == name)


def _offers(data: Step) -> dict[str, str | None]:
    return {"simulation": data.simulation, "evaluation": data.evaluation}


HANDLERS = (policies, policy, propose, advance, rollback, reviews, resolve, flags, flip)

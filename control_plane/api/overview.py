"""Health, flags of the moment, the ledger's head and proofs, and the stream of what happens."""

import base64
from typing import Any

import anyio.to_thread
import msgspec
from litestar import MediaType, Request, Response, get
from litestar.params import FromPath
from litestar.response import Stream

from ..access.tokens import may_read_the_log
from ..errors import BadInput
from ..health import Health
from .given import Events, Measures, Plane


class Alive(msgspec.Struct, frozen=True):
    ok: bool
    version: str


class Ready(msgspec.Struct, frozen=True):
    ready: bool
    reason: str = ""


class Head(msgspec.Struct, frozen=True):
    """`note` is the signed C2SP checkpoint, `verifier_key` what it is checked with."""

    position: int
    root: str
    origin: str
    note: str
    verifier_key: str


class Inclusion(msgspec.Struct, frozen=True):
    """An event's exact leaf, the hashes (base64) that lead from it to the root, and the note that signs the root."""

    position: int
    leaf: str
    path: list[str]
    note: str
    verifier_key: str


@get("/health", summary="The process is alive")
async def alive(plane: Plane) -> Alive:
    return Alive(True, plane.version)


@get("/ready", summary="Everything that it needs is there")
async def ready(plane: Plane, hub: Events) -> Response[Ready]:
    reason = "the server drains" if hub.closed else plane.not_ready()
    return Response(Ready(not reason, reason), status_code=503 if reason else 200)


@get("/metrics", media_type=MediaType.TEXT, summary="For Prometheus")
async def metrics(meters: Measures) -> Response[bytes]:
    content, kind = await anyio.to_thread.run_sync(meters.text)
    return Response(content, media_type=kind)


@get("/api/health", summary="How it is, with the reasons")
async def health(plane: Plane) -> Health:
    return await anyio.to_thread.run_sync(plane.health)


@get("/api/orchestration", summary="The whole house in figures")
async def orchestration(plane: Plane) -> Health:
    return await anyio.to_thread.run_sync(plane.health)


@get("/api/stats", summary="The router in figures")
async def stats(plane: Plane) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(await anyio.to_thread.run_sync(plane.stats))
    return found


@get("/api/ledger/checkpoint", summary="The signed head of the log")
async def checkpoint(plane: Plane) -> Head:
    def look() -> Head:
        plane.flush()
        note, head = plane.ledger.checkpoint()
        return Head(head.size, head.root.hex(), head.origin, note, plane.verifier_key())

    return await anyio.to_thread.run_sync(look)


@get("/api/ledger/events/{position:int}", summary="One event with its proof")
async def event(position: FromPath[int], request: Request[Any, Any, Any], plane: Plane) -> Inclusion:
    may_read_the_log(request.state.caller)

    def look() -> Inclusion:
        size = plane.ledger.checkpoint()[1].size
        if not 1 <= position <= size:
            raise BadInput(f"there is no position {position}", cure=f"the log has 1 to {size}")
        leaf = plane.leaf(position)
        path, note = plane.ledger.prove(position)
        encoded = [base64.b64encode(one).decode() for one in path]
        return Inclusion(position, base64.b64encode(leaf).decode(), encoded, note, plane.verifier_key())

    return await anyio.to_thread.run_sync(look)


@get("/api/events", media_type="text/event-stream", summary="What the log commits, as it comes (server-sent events)")
async def events(request: Request[Any, Any, Any], hub: Events) -> Stream:
    may_read_the_log(request.state.caller)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(hub.watch().events, media_type="text/event-stream", headers=headers)


HANDLERS = (alive, ready, metrics, health, orchestration, stats, checkpoint, event, events)

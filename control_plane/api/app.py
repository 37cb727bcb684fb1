"""The application: routes, the door in front of them, errors in one shape, and a description that is generated."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp

from ..access.tokens import Access, Refused
from ..errors import ControlPlaneError
from ..plane import ControlPlane
from . import (
    agents,
    bridge,
    decisions,
    dogfood,
    guard,
    opencode,
    overview,
    page,
    panels,
    policies,
    problems,
    revocations,
    runs,
    simulations,
)
from .description import Description, described
from .gate import PATIENCE_S, Audit, Gate
from .hosts import Hosts
from .lean import Lean
from .loopwatch import LoopWatch
from .metrics import Meters
from .stream import Hub
from .templates import Templates
from .tracing import Spans

# A task with a description and its files fits ten times.
LARGEST_BODY = 1 << 20
ROUTES = (
    decisions, policies, guard, bridge, dogfood, opencode, runs, simulations, revocations, overview, panels, page
)  # fmt: skip


def create_app(
    plane: ControlPlane,
    access: Access,
    hub: Hub | None = None,
    spans: Spans | None = None,
    patience: float = PATIENCE_S,
    names: Iterable[str] = (),
) -> ASGIApp:
    """An ASGI application over an open plane; whoever opened it closes it. `names`: of this server, beyond loopback."""
    hub, meters, description = Hub() if hub is None else hub, Meters(plane), Description()
    desk = bridge.Desk(plane, meters.registry, lambda: hub.closed)
    plane.ledger.listen(hub.on_commit)
    plane.ledger.listen(meters.on_commit)

    @asynccontextmanager
    async def living(app: Litestar) -> AsyncIterator[None]:
        description.complete(app)
        with contextlib.ExitStack() as ends:
            if spans is not None:
                ends.callback(spans.close)
            ends.callback(hub.close)
            watch = LoopWatch(meters.late, lambda: meters.requests)
            ends.callback(watch.stop)
            watch.start()
            yield

    given = {"plane": plane, "hub": hub, "meters": meters, "spans": spans, "desk": desk}
    app = _litestar(
        given, living, agents.AgentsDoor(plane, LARGEST_BODY, lambda: hub.closed), described(plane.version, description)
    )
    audit = _audit(plane, meters, Templates(route.path_format for route in app.routes))
    return Gate(app, access, plane.ledger.clock, meters.seen, audit, Lean(plane, meters, spans), Hosts(names), patience)


def _audit(plane: ControlPlane, meters: Meters, templates: Templates) -> Audit:
    log = structlog.get_logger("control_plane.api")

    def audit(path: str, fault: ControlPlaneError, request_id: str) -> None:
        meters.refused(fault.code)
        reason, route = fault.reason if isinstance(fault, Refused) else "", templates.of(path)
        plane.audit.refused(route, fault.code, reason)
        log.warning("refused", path=route, code=fault.code, why=fault.what, request_id=request_id)

    return audit


def _litestar(
    given: dict[str, Any], living: Callable[[Litestar], Any], agents_door: agents.AgentsDoor, openapi: OpenAPIConfig
) -> Litestar:
    return Litestar(
        route_handlers=[handler for module in ROUTES for handler in module.HANDLERS],
        dependencies={
            name: Provide(_given(value), sync_to_thread=False, use_cache=True) for name, value in given.items()
        },
        exception_handlers={
            ControlPlaneError: problems.of_fault,
            HTTPException: problems.of_http,
            Exception: problems.of_surprise,
        },
        lifespan=[living],
        plugins=[agents_door],
        request_max_body_size=LARGEST_BODY,
        openapi_config=openapi,
        logging_config=None,
    )


def _given(value: Any) -> Any:
    def give() -> Any:
        return value

    return give

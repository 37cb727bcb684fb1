"""`/mcp`: the plane over MCP's streamable HTTP, behind the same door; nothing of it is loaded before it is used."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup
from litestar import Litestar, asgi
from litestar.config.app import AppConfig
from litestar.exceptions import MethodNotAllowedException
from litestar.plugins import InitPluginProtocol
from litestar.types import Receive, Scope, Send

from .. import extras
from ..errors import LedgerClosed, MissingExtra
from ..plane import ControlPlane

if TYPE_CHECKING:
    from ..mcp.http import Transport

PATH: Final = "/mcp"
LOGGERS: Final = ("mcp", "control_plane.mcp")


class AgentsDoor(InitPluginProtocol):
    """Adds the route; what runs behind it starts with the first request and ends with the application."""

    def __init__(self, plane: ControlPlane, largest_body: int, ending: Callable[[], bool]) -> None:
        self._plane, self._largest, self._ending = plane, largest_body, ending
        self._group: TaskGroup | None = None
        self._transport: Transport | None = None
        self._opening = anyio.Lock()

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        async def agents(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        app_config.route_handlers.append(asgi(PATH, copy_scope=False)(agents))
        app_config.lifespan.append(self._living)
        return app_config

    @contextlib.asynccontextmanager
    async def _living(self, _: Litestar) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                yield
            finally:
                group.cancel_scope.cancel()
                self._group = self._transport = None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "POST":
            raise MethodNotAllowedException(f"{PATH} takes POST only: subscriptions/listen opens a stream")
        async with self._opening:
            transport = self._transport or await self._open()
        await transport(scope, receive, send)

    async def _open(self) -> "Transport":
        if self._group is None:
            raise LedgerClosed("this server has not started, or ends")
        self._transport = await anyio.to_thread.run_sync(_load, self._plane, self._largest, self._ending)
        await self._group.start(self._transport.run)
        return self._transport


def _load(plane: ControlPlane, largest_body: int, ending: Callable[[], bool]) -> "Transport":
    try:
        from ..mcp.http import Transport  # noqa: PLC0415 - a server that no agent asks needs none of it
    except ImportError as fault:
        raise MissingExtra(f"MCP needs {fault.name}", cure=extras.install("mcp")) from None
    for name in LOGGERS:
        logging.getLogger(name).handlers[:] = [Structured(logging.WARNING)]
    return Transport(plane, largest_body, ending)


class Structured(logging.Handler):
    """What is said through Python's own logging comes out as one line of the server's log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger("control_plane.api")
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)

"""Streamable HTTP without sessions: one request, one answer; who listens is told when the server ends."""

from collections.abc import Callable
from typing import Any

import anyio
from anyio.abc import TaskStatus
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from ..access.tokens import Caller
from ..plane import ControlPlane
from .server import Context, build
from .tooling import Call


class Transport:
    """An ASGI application once `run` has started; the door before it puts the caller into the scope's state."""

    def __init__(self, plane: ControlPlane, largest_body: int, ending: Callable[[], bool]) -> None:
        def called(context: Context) -> Call:
            assert isinstance(context.request, Request)  # over HTTP there is always one
            state = context.request.scope["state"]
            caller: Caller = state["caller"]
            return Call(plane, caller, request_id=state.get("request_id", ""))

        server = build(called, plane.version, ending=ending)
        # The door checks a token of every request, so the name by which a host was called proves nothing more.
        self._manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=largest_body
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with self._manager.run():
            task_status.started()
            await anyio.sleep_forever()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._manager.handle_request(scope, receive, send)

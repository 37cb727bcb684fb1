"""Subscriptions: a client that listens to threads is told when one changes, and reads what is new by its cursor."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, SubscriptionsListenRequestParams, SubscriptionsListenResult

from ..bridge.news import News
from ..bridge.service import Bridge
from ..errors import ControlPlaneError
from . import faults
from .resources import read
from .tooling import Call

KIND: Final = "thread://"
MOST_THREADS, MOST_LISTENERS, MOST_OF_ONE = 64, 256, 32


class Listening:
    """One call is one subscription; who may not look at a thread may not listen to it either."""

    def __init__(self, called: Callable[[ServerRequestContext[Any, Any]], Call], ending: Callable[[], bool]) -> None:
        self._called, self._ending = called, ending
        self._open = Counter[str | None]()

    async def __call__(
        self, context: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        call = self._called(context)
        watched = {uri: uri.removeprefix(KIND) for uri in params.notifications.resource_subscriptions or ()}
        await self._check(call, watched)
        bus = InMemorySubscriptionBus()
        handler = ListenHandler(bus)
        self._open[call.caller.jti] += 1
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._follow, call, watched, bus, handler)
                result = await handler(context, params)
                group.cancel_scope.cancel()
        finally:
            self._open[call.caller.jti] -= 1
        return result

    async def _check(self, call: Call, watched: dict[str, str]) -> None:
        if self._open.total() >= MOST_LISTENERS:
            raise MCPError(INTERNAL_ERROR, f"{MOST_LISTENERS} clients listen already")
        if self._open[call.caller.jti] >= MOST_OF_ONE:
            raise MCPError(INTERNAL_ERROR, f"this token listens {MOST_OF_ONE} times already")
        if len(watched) > MOST_THREADS:
            raise MCPError(INVALID_PARAMS, f"one subscription takes at most {MOST_THREADS} threads")
        for uri in watched:
            if not uri.startswith(KIND):
                raise MCPError(INVALID_PARAMS, f"nothing is told of {uri[:200]!r}", {"cure": f"{KIND}ID"})
            try:
                await anyio.to_thread.run_sync(read, call, uri)
            except ControlPlaneError as fault:
                raise MCPError(INVALID_PARAMS, str(fault), {"uri": uri, **faults.facts_of(fault)}) from None

    async def _follow(
        self, call: Call, watched: dict[str, str], bus: InMemorySubscriptionBus, handler: ListenHandler
    ) -> None:
        """Until the server ends, or a thread is one that the caller may not see any more."""
        bridge = call.plane.bridge
        with News(bridge) as news:
            seen = {uri: _mark(bridge, thread) for uri, thread in watched.items()}
            while not self._ending():
                news.forget()
                for uri, thread in watched.items():
                    now = _mark(bridge, thread)
                    if now != seen[uri]:
                        await self._tell(call, uri, bus)
                        seen[uri] = now
                await news.wait()
        handler.close()

    async def _tell(self, call: Call, uri: str, bus: InMemorySubscriptionBus) -> None:
        try:
            await anyio.to_thread.run_sync(read, call, uri)
        except ControlPlaneError:
            return  # taken out of the thread while listening: what happens there is not told any more
        await bus.publish(ResourceUpdated(uri=uri))


def _mark(bridge: Bridge, thread: str) -> tuple[object, ...]:
    """What makes a thread another one to somebody who looks at it."""
    found = bridge.state.threads.get(thread)
    if found is None:
        return ()
    return found.last_seq, found.status, found.updated, found.archived, tuple(found.participants)

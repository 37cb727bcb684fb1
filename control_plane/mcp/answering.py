"""Whoever asks and then closes stdin is answered: its end is told only when nothing waits for an answer."""

from types import TracebackType
from typing import Any, Final

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

# A tool that takes longer than this after the end of stdin is not waited for.
LONGEST_S: Final = 10.0
# Answered when it ends, and its end is the client's.
LISTEN: Final = "subscriptions/listen"


class Unanswered:
    """The ids of requests that came and have no answer yet."""

    def __init__(self) -> None:
        self._ids = set[str | int]()
        self._changed = anyio.Event()

    def heard(self, item: SessionMessage | Exception) -> None:
        message = item.message if isinstance(item, SessionMessage) else None
        if isinstance(message, JSONRPCRequest) and message.method != LISTEN:
            self._ids.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._settle((message.params or {}).get("requestId"))

    def said(self, item: SessionMessage) -> None:
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            self._settle(item.message.id)

    def _settle(self, number: Any) -> None:
        if isinstance(number, str | int):
            self._ids.discard(number)
        self._changed.set()

    async def settled(self) -> None:
        with anyio.move_on_after(LONGEST_S):
            while self._ids:
                self._changed = anyio.Event()
                await self._changed.wait()


class _Wrapped:
    def __init__(self, inner: Any, unanswered: Unanswered) -> None:
        self._inner, self._unanswered = inner, unanswered

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        await self.aclose()
        return None


class Reading(_Wrapped):
    async def receive(self) -> SessionMessage | Exception:
        try:
            item: SessionMessage | Exception = await self._inner.receive()
        except anyio.EndOfStream:
            await self._unanswered.settled()
            raise
        self._unanswered.heard(item)
        return item

    def __aiter__(self) -> "Reading":
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class Writing(_Wrapped):
    async def send(self, item: SessionMessage, /) -> None:
        await self._inner.send(item)
        self._unanswered.said(item)

"""`POST /api/advise` without the framework, which costs ten times the advice; what is not plain goes the long way."""

import asyncio
from collections import deque
from time import perf_counter
from typing import Any, Final, cast

import msgspec
from litestar.types import HTTPScope, Receive, Send

from ..access.tokens import Caller, may
from ..errors import ControlPlaneError
from ..plane import ControlPlane
from .bodies import TaskBody
from .metrics import Meters
from .tracing import Spans

PATH: Final = "/api/advise"
LARGEST: Final = 64 << 10
# A body that is not here by then is waited for where there is time.
PATIENCE_S: Final = 1.0


class Lean:
    """Takes a request, or hands back all that it has read of it so that every refusal has one author."""

    def __init__(self, plane: ControlPlane, meters: Meters, spans: Spans | None) -> None:
        self._plane, self._meters, self._spans = plane, meters, spans
        self._decode = msgspec.json.Decoder(TaskBody).decode
        self._encode = msgspec.json.Encoder().encode

    def takes(self, scope: HTTPScope, headers: dict[bytes, bytes]) -> bool:
        return (
            scope["path"] == PATH
            and scope["method"] == "POST"
            and headers.get(b"content-type") == b"application/json"
            and b"content-length" in headers
            and b"expect" not in headers
        )

    async def answer(self, caller: Caller, request_id: bytes, receive: Receive, send: Send) -> Receive | None:
        """None when it was answered."""
        read: deque[Any] = deque()
        body = await _whole(receive, read)
        if body is None:
            return _again(read, receive)
        begun = perf_counter()
        try:
            may(caller, "participant")
            task = self._decode(body)
            advice = self._plane.advise(task)
        except (msgspec.MsgspecError, ControlPlaneError, UnicodeDecodeError, RecursionError):
            return _again(read, receive)
        self._meters.decided(perf_counter() - begun)
        if self._spans is not None:
            self._spans.advised(task, advice)
        content = self._encode(advice)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", request_id),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})
        return None


async def _whole(receive: Receive, read: deque[Any]) -> bytes | None:
    """The body, or None when it is long, slow or cut off; what was read is in `read`."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await receive()
                read.append(message)
                if message["type"] != "http.request":
                    return None
                size += len(message["body"])
                if size > LARGEST:
                    return None
                parts.append(message["body"])
                if not message["more_body"]:
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        return None


def _again(read: deque[Any], receive: Receive) -> Receive:
    async def again() -> Any:
        return read.popleft() if read else await receive()

    return cast("Receive", again)

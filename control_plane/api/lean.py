"""What somebody waits for, without the framework, which costs ten times the advice; the rest goes the long way."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, cast

import msgspec
from litestar.types import HTTPScope, Receive, Send

from ..access.tokens import Caller, may
from ..errors import ControlPlaneError
from ..plane import ControlPlane
from ..router.terms import Advice
from ..turns.terms import Asked
from .bodies import TaskBody
from .metrics import Meters
from .opencode import StepsBody
from .tracing import Spans

LARGEST: Final = 64 << 10
# A body that is not here by then is waited for where there is time.
PATIENCE_S: Final = 1.0


class Lean:
    """Takes a request, or hands back all that it has read of it so that every refusal has one author."""

    def __init__(self, plane: ControlPlane, meters: Meters, spans: Spans | None) -> None:
        self._plane, self._meters, self._spans = plane, meters, spans
        self._encode = msgspec.json.Encoder().encode
        self._roads: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], Any]]] = {
            "/api/advise": (msgspec.json.Decoder(TaskBody).decode, self._advise),
            "/api/opencode/turn": (msgspec.json.Decoder(Asked).decode, plane.turns.begin),
            "/api/opencode/steps": (
                msgspec.json.Decoder(StepsBody).decode, lambda told: plane.turns.steps(list(told.steps))
            ),
        }  # fmt: skip

    def takes(self, scope: HTTPScope, headers: dict[bytes, bytes]) -> bool:
        return (
            scope["path"] in self._roads
            and scope["method"] == "POST"
            and headers.get(b"content-type") == b"application/json"
            and b"content-length" in headers
            and b"expect" not in headers
        )

    async def answer(
        self, path: str, caller: Caller, request_id: bytes, receive: Receive, send: Send
    ) -> Receive | None:
        """None when it was answered."""
        decode, answer = self._roads[path]
        read: deque[Any] = deque()
        body = await _whole(receive, read)
        if body is None:
            return _again(read, receive)
        try:
            may(caller, "participant")
            content = self._encode(answer(decode(body)))
        except (msgspec.MsgspecError, ControlPlaneError, UnicodeDecodeError, RecursionError):
            return _again(read, receive)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", request_id),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})
        return None

    def _advise(self, task: TaskBody) -> Advice:
        begun = perf_counter()
        advice = self._plane.advise(task)
        self._meters.decided(perf_counter() - begun)
        if self._spans is not None:
            self._spans.advised(task, advice)
        return advice


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

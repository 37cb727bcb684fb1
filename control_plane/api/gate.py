"""The door of every request: an id, who is calling, how long it took; a refusal is answered and recorded here."""

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from ..access.tokens import Access, Caller, Forbidden, NotConfigured, Refused
from ..clock import Clock, new_id
from ..errors import ControlPlaneError
from ..redacting import without_secrets
from . import bridge
from .hosts import Hosts
from .lean import Lean
from .problems import MEDIA_TYPE, Problem, status_of
from .streams import Streams, TooManyStreams

OPEN: Final = ("/health", "/ready", "/metrics", "/schema")
PAGES: Final = ("/", "/favicon.ico")
LONGEST_ID: Final = 128
# From the first byte of the body to the first byte of the answer; a stream may then go on as long as it likes.
PATIENCE_S: Final = 30.0
# Where the whole log is read.
MORE_PATIENCE: Final = {"/api/orchestration/policy-sim": 20.0}

# Method, route, status, seconds.
Seen = Callable[[str, str, int, float], None]
# Who was refused what, and why: path, the refusal, request id.
Audit = Callable[[str, ControlPlaneError, str], None]


_END: Final = b'event: end\ndata: {"code":"access.unauthorized"}\n\n'


class TooSlow(ControlPlaneError):
    """The request did not arrive in time."""

    code = "http.request-timeout"


class TookTooLong(ControlPlaneError):
    """The answer did not begin in time; what was asked may still be done."""

    code = "http.timeout"


class Gate:
    def __init__(
        self, app: ASGIApp, access: Access, clock: Clock, seen: Seen, audit: Audit, lean: Lean, hosts: Hosts,
        patience: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._app, self._access, self._clock, self._seen, self._audit = app, access, clock, seen, audit
        self._lean, self._hosts, self._patience = lean, hosts, patience
        self._log, self._streams = structlog.get_logger("control_plane.api"), Streams()
        # Cheaper than drawing each id, and as unique: what is random was drawn once.
        self._ids, self._numbers = new_id(clock.now())[:18], itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == ScopeType.HTTP:
            await self._answer(cast("HTTPScope", scope), receive, send)
        elif kind == "lifespan":
            await self._app(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        begun, headers = self._clock.monotonic(), dict(scope["headers"])
        request_id = self._id(headers.get(b"x-request-id"))
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        named = _Named(send, request_id, self._access)
        try:
            self._hosts.check(headers, scope["method"])
            if not is_open(scope["path"]):
                state["caller"] = named.caller = caller = self._caller(headers, scope["method"])
                if self._lean.takes(scope, headers):
                    unread = await self._lean.answer(scope["path"], caller, named.id, receive, send)
                    if unread is None:
                        self._seen("POST", scope["path"], 200, self._clock.monotonic() - begun)
                        return
                    receive = unread
        except ControlPlaneError as fault:
            await self._refused(scope, named, fault)
            self._seen(scope["method"], "refused", named.status, self._clock.monotonic() - begun)
            return
        try:
            with self._streams.one_of(scope["path"], named.caller):
                await self._in_time(scope, receive, named)
        except TooManyStreams as fault:
            await self._refused(scope, named, fault)
        if named.ended is not None:
            self._audit(scope["path"], named.ended, request_id)
        elif named.status == 403:
            self._audit(scope["path"], Forbidden("the role does not allow it"), request_id)
        took = self._clock.monotonic() - begun
        route = scope.get("path_template") or "unmatched"
        self._seen(scope["method"], route, named.status, took)
        self._log.info("request", method=scope["method"], route=route, status=named.status, ms=round(took * 1e3, 2),
                       request_id=request_id)  # fmt: skip

    async def _refused(self, scope: HTTPScope, named: "_Named", fault: ControlPlaneError) -> None:
        request_id = named.id.decode("latin-1")
        self._audit(scope["path"], fault, request_id)
        own = scope["path"].startswith(bridge.PREFIX)
        told = bridge.refused_at_the_door(fault, request_id, self._clock.now()) if own else None
        await _refuse(named, fault, request_id, told)

    async def _in_time(self, scope: HTTPScope, receive: Receive, named: "_Named") -> None:
        """The answer begins in time, or says that it will not."""
        whole = waiting = False

        async def reading() -> Any:
            nonlocal whole, waiting
            waiting = True
            message = await receive()
            waiting, whole = False, message["type"] != "http.request" or not message["more_body"]
            return message

        try:
            async with asyncio.timeout(self._patience * MORE_PATIENCE.get(scope["path"], 1.0)) as named.deadline:
                await self._app(scope, cast("Receive", reading), cast("Send", named))
        except TimeoutError:
            if named.started:
                await named.end()
                return
            fault = (
                TooSlow("the request did not arrive in time")
                if waiting and not whole
                else TookTooLong("that took too long", why="it may still be done", cure="look before you ask again")
            )
            await _refuse(named, fault, scope["state"]["request_id"])

    def _id(self, given: bytes | None) -> str:
        if given is not None:
            text = given.decode("latin-1")
            if text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST_ID:
                return without_secrets(text)
        return f"{self._ids}{next(self._numbers):08X}"

    def _caller(self, headers: dict[bytes, bytes], method: str) -> Caller:
        if not self._access.configured and method not in ("GET", "HEAD"):
            raise NotConfigured("no token is configured, so nothing may be written", cure="start it with a token file")
        header = headers.get(b"authorization")
        return self._access.caller(None if header is None else header.decode("latin-1"))


class _Named:
    """Sends on, with the request's id, and keeps the status; once the answer begins its time is its token's."""

    def __init__(self, send: Send, request_id: str, access: Access) -> None:
        self._send, self._access, self.id = send, access, request_id.encode("latin-1")
        self.status, self.started, self._events = 500, False, False
        self.caller: Caller | None = None
        self.ended: Refused | None = None
        self.deadline: asyncio.Timeout | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            message["headers"] = [*message["headers"], (b"x-request-id", self.id)]
            self._events = any(value.startswith(b"text/event-stream") for _, value in message["headers"])
            self._reschedule(None)
        elif self._events and not self._may_go_on():
            self._reschedule(0.0)
            return
        await self._send(message)

    async def end(self) -> None:
        """The last words of a stream whose token is good no more."""
        self._may_go_on()
        last: Message = {"type": "http.response.body", "body": _END if self._events else b"", "more_body": False}
        await self._send(last)

    def _may_go_on(self) -> bool:
        """A stream may last for longer than the token that opened it."""
        if self.caller is not None and self.ended is None:
            try:
                self._access.check_still(self.caller)
            except Refused as fault:
                self.ended = fault
        return self.ended is None

    def _reschedule(self, after: float | None) -> None:
        if self.deadline is None or self.deadline.expired():
            return
        rest = math.inf if self.caller is None else self._access.rest_of(self.caller)
        if after is None and self._events and rest < math.inf:
            after = max(0.0, rest)
        self.deadline.reschedule(None if after is None else asyncio.get_running_loop().time() + after)


def is_open(path: str) -> bool:
    return path in PAGES or path.startswith("/assets/") or any(path == p or path.startswith(f"{p}/") for p in OPEN)


async def _refuse(send: _Named, fault: ControlPlaneError, request_id: str, told: bytes | None = None) -> None:
    """`told` is for callers who are answered in another shape."""
    status = status_of(fault)
    problem = Problem(status, "Refused", fault.code, fault.what, request_id, fault.why, fault.cure)
    content = msgspec.json.encode(problem) if told is None else told
    kind = MEDIA_TYPE.encode() if told is None else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    elif status == 503:
        headers.append((b"retry-after", b"1"))
    elif status == 408:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})

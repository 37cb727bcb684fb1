"""The door of every request: an id, who is calling, how long it took; a refusal is answered and recorded here."""

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from ..access.tokens import Access, Caller, NotConfigured
from ..clock import Clock, new_id
from ..errors import ControlPlaneError
from .problems import MEDIA_TYPE, Problem, status_of

OPEN: Final = ("/health", "/ready", "/metrics", "/schema")
PAGES: Final = ("/", "/favicon.ico")
LONGEST_ID: Final = 128

# Method, route, status, seconds.
Seen = Callable[[str, str, int, float], None]
# Who was refused what, and why: path, code, words, request id.
Audit = Callable[[str, str, str, str], None]


class Gate:
    def __init__(self, app: ASGIApp, access: Access, clock: Clock, seen: Seen, audit: Audit) -> None:
        self._app, self._access, self._clock, self._seen, self._audit = app, access, clock, seen, audit
        self._log = structlog.get_logger("control_plane.api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == ScopeType.HTTP:
            await self._answer(cast("HTTPScope", scope), receive, send)
        elif kind == "lifespan":
            await self._app(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        begun, status, headers = self._clock.monotonic(), 500, dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if given.isprintable() and 0 < len(given) <= LONGEST_ID else new_id(self._clock.now())
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode("latin-1"))]
            await send(message)

        try:
            if not is_open(scope["path"]):
                state["caller"] = self._caller(headers, scope["method"])
        except ControlPlaneError as fault:
            self._audit(scope["path"], fault.code, fault.what, request_id)
            await _refuse(named, fault, request_id)
        else:
            await self._app(scope, receive, named)
        took = self._clock.monotonic() - begun
        route = scope.get("path_template") or "unmatched"
        self._seen(scope["method"], route, status, took)
        self._log.info("request", method=scope["method"], route=route, status=status, ms=round(took * 1e3, 2),
                       request_id=request_id)  # fmt: skip

    def _caller(self, headers: dict[bytes, bytes], method: str) -> Caller:
        if not self._access.configured and method not in ("GET", "HEAD"):
            raise NotConfigured("no token is configured, so nothing may be written", cure="start it with a token file")
        header = headers.get(b"authorization")
        return self._access.caller(None if header is None else header.decode("latin-1"))


def is_open(path: str) -> bool:
    return path in PAGES or path.startswith("/assets/") or any(path == p or path.startswith(f"{p}/") for p in OPEN)


async def _refuse(send: Send, fault: ControlPlaneError, request_id: str) -> None:
    status = status_of(fault)
    problem = Problem(status, "Refused", fault.code, fault.what, request_id, fault.why, fault.cure)
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(problem), "more_body": False})

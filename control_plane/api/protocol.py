"""HTTP on the wire: uvicorn's, with a bound on how long the head of a request may take, and how large it may be."""

from asyncio import TimerHandle, Transport
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .problems import MEDIA_TYPE, Problem

HEAD_S: Final = 15.0
LARGEST_HEAD: Final = 64 << 10


class Bounded(HttpToolsProtocol):
    """Who opens a connection and says nothing, or begins a head and never ends it, is not waited for.

    What follows the last chunk of a body is read as headers too: it is bounded like them, and kept by nobody.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head, self._beside_body = True, 0
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._beside_body > LARGEST_HEAD:
            self._too_large()
        elif self._in_head and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._give_up)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head, self._beside_body = False, 0
        self._forget_deadline()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_body = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn says it in words
        self._refuse(400, "Bad Request", "http.malformed", "this is no HTTP request")

    def _too_large(self) -> None:
        if self._in_head:
            self._refuse(431, "Request Header Fields Too Large", "http.head-too-large", "the head is too large")
        else:
            # An answer may be under way by then: nothing can be said any more.
            self.transport.close()

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, title: str, code: str, detail: str) -> None:
        content = msgspec.json.encode(Problem(status, title, code, detail, ""))
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (status, title.encode(), MEDIA_TYPE.encode(), len(content), content)
        )
        self.transport.close()

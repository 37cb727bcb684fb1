"""A port to a running OpenCode of generation 1: typed requests, typed answers, its events as they come.

What the server answers is read leniently (only the fields that we use), what it does not answer is a coded error.
"""

import base64
import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from ..dialling import dial
from ..jsonc import object_in
from .shapes import (
    Event,
    IncompatibleServer,
    Message,
    ModelRef,
    OpenCodeAway,
    OpenCodeRefused,
    Probe,
    Session,
)

PATIENCE_S = 30.0
# A request that is sent between bind and ready hangs for ever: a probe gives up early and asks again.
PROBE_S = 1.0
GENERATION = 1
T = TypeVar("T")


@dataclass(frozen=True)
class OpenCode:
    """One directory's instance of an OpenCode server; open it with `connect`, which probes the version."""

    url: str
    directory: str | None = None
    password: str | None = field(default=None, repr=False)
    patience_s: float = PATIENCE_S

    @classmethod
    def connect(cls, url: str, *, directory: str | None = None, password: str | None = None) -> "OpenCode":
        port = cls(url.rstrip("/"), directory, password)
        port.probe()
        return port

    def probe(self) -> Probe:
        """Which OpenCode answers; one that this port cannot drive is refused here and not half-way through."""
        status, kind, body = self._exchange("GET", "/global/health", None, PROBE_S)
        if status == 401:
            raise OpenCodeRefused("OpenCode asks for a password", status=401, cure="set OPENCODE_SERVER_PASSWORD")
        told = object_in(body) if "json" in kind else {}
        version = str(told.get("version", ""))
        if status != 200 or not version:
            raise IncompatibleServer(
                f"{self.url} is no OpenCode that can be driven",
                why=f"/global/health answers {status} {kind or 'without a type'}",
                cure="this port drives OpenCode 1.x",
            )
        check_version(version)
        return Probe(version, GENERATION)

    # Sessions and their messages.

    def create_session(
        self, title: str = "task", *, parent: str | None = None, permission: list[dict[str, str]] | None = None
    ) -> Session:
        """A title spares the extra call of the model that would make one up."""
        body = {"title": title, "parentID": parent, "permission": permission}
        return self._ask("POST", "/session", Session, {k: v for k, v in body.items() if v is not None})

    def session(self, session: str) -> Session:
        return self._ask("GET", f"/session/{quote(session)}", Session)

    def busy(self) -> frozenset[str]:
        """The sessions that are at work or wait for a retry; the idle ones are absent."""
        return frozenset(self._ask("GET", "/session/status", dict[str, Any]))

    def messages(self, session: str) -> list[Message]:
        """One message of the assistant for each step of the model."""
        return self._ask("GET", f"/session/{quote(session)}/message", list[Message])

    def prompt(
        self,
        session: str,
        text: str,
        *,
        model: str | None = None,
        agent: str | None = None,
        tools: dict[str, bool] | None = None,
        patience_s: float | None = None,
    ) -> Message:
        """Ask and wait for the last message of the turn; the model's errors are in its `info.error`."""
        body = _prompt(text, model, agent, tools)
        return self._ask("POST", f"/session/{quote(session)}/message", Message, body, patience_s or 600.0)

    def prompt_async(
        self,
        session: str,
        text: str,
        *,
        model: str | None = None,
        agent: str | None = None,
        tools: dict[str, bool] | None = None,
    ) -> None:
        """Ask and go on; sent to a busy session it is queued."""
        self._tell("POST", f"/session/{quote(session)}/prompt_async", _prompt(text, model, agent, tools))

    def command(self, session: str, command: str, arguments: str = "") -> Message:
        body = {"command": command, "arguments": arguments}
        return self._ask("POST", f"/session/{quote(session)}/command", Message, body, 600.0)

    def abort(self, session: str) -> None:
        self._tell("POST", f"/session/{quote(session)}/abort")

    # Questions.

    def reply(self, permission: str, reply: Literal["once", "always", "reject"], message: str | None = None) -> None:
        """A rejection with a message lets the model go on; one without ends the loop."""
        body = {"reply": reply} | ({"message": message} if message else {})
        self._tell("POST", f"/permission/{quote(permission)}/reply", body)

    # What there is.

    def models(self) -> list[str]:
        """`provider/model` of every model that is connected."""
        told = self._ask("GET", "/provider", dict[str, Any])
        connected = set(told.get("connected", ()))
        return [
            f"{one['id']}/{model}" for one in told.get("all", ()) if one["id"] in connected for model in one["models"]
        ]

    # Events.

    def events(self, *, everywhere: bool = False) -> "EventStream":
        """What happens from now on, in this directory or in all; close it, or use `with`."""
        return EventStream(self, "/global/event" if everywhere else "/event")

    def open_stream(self, path: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._connection(self.patience_s)
        try:
            connection.request("GET", self._target(path), headers=self._headers())
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as fault:
            connection.close()
            raise _away(self.url, fault) from None
        if "text/event-stream" not in answer.headers.get("content-type", ""):
            connection.close()
            raise IncompatibleServer(f"{self.url}{path} sends no events", cure="this port drives OpenCode 1.x")
        return connection, answer

    # The wire.

    def _ask(self, method: str, path: str, kind: type[T], body: Any = None, patience_s: float | None = None) -> T:
        content, raw = self._answer(method, path, body, patience_s)
        if "json" not in content:
            raise IncompatibleServer(
                f"{method} {path} answers {content or 'nothing that is typed'}",
                why="a route of another generation answers with a page",
                cure="this port drives OpenCode 1.x",
            )
        try:
            return msgspec.json.decode(raw, type=kind, strict=False)
        except (msgspec.ValidationError, msgspec.DecodeError) as fault:
            raise IncompatibleServer(f"{method} {path} answers in another shape", why=str(fault)) from None

    def _tell(self, method: str, path: str, body: Any = None) -> None:
        """Ask where nothing in the answer matters but that it is no refusal."""
        self._answer(method, path, body, None)

    def _answer(self, method: str, path: str, body: Any, patience_s: float | None) -> tuple[str, bytes]:
        status, content, raw = self._exchange(method, path, body, patience_s or self.patience_s)
        if status >= 400:
            told = object_in(raw) if "json" in content else {}
            inner = told.get("data")
            why = inner.get("message") if isinstance(inner, dict) else told.get("message")
            raise OpenCodeRefused(f"OpenCode refused {method} {path}", status=status, why=str(why or f"HTTP {status}"))
        return content, raw

    def _exchange(self, method: str, path: str, body: Any, patience_s: float) -> tuple[int, str, bytes]:
        connection = self._connection(patience_s)
        headers = self._headers()
        raw = None
        if body is not None:
            raw = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        try:
            connection.request(method, self._target(path), raw, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise _away(self.url, fault) from None
        finally:
            connection.close()

    def _connection(self, patience_s: float) -> http.client.HTTPConnection:
        try:
            return dial(self.url, patience_s)
        except ValueError:
            raise OpenCodeAway(f"{self.url!r} is no address", cure="as in http://127.0.0.1:4096") from None

    def _target(self, path: str) -> str:
        return path if self.directory is None else f"{path}?{urlencode({'directory': self.directory})}"

    def _headers(self) -> dict[str, str]:
        if self.password is None:
            return {}
        return {"authorization": "Basic " + base64.b64encode(f"opencode:{self.password}".encode()).decode()}


class EventStream:
    """Events in their order; iterating ends when the stream is closed, here or by the server."""

    def __init__(self, port: OpenCode, path: str) -> None:
        self._connection, self._answer = port.open_stream(path)

    def __iter__(self) -> Iterator[Event]:
        data: list[bytes] = []
        while True:
            try:
                line = self._answer.readline()
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                return
            if not line:
                return
            line = line.rstrip(b"\r\n")
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line and data:
                event, data = _event(b"\n".join(data)), []
                if event is not None:
                    yield event

    def close(self) -> None:
        """From any thread; whoever iterates comes to an end."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_version(version: str) -> None:
    """Generation 2 is known and refused; what cannot be read is refused too."""
    major = version.lstrip("v").split(".")[0]
    if not major.isdigit() or int(major) != GENERATION:
        raise IncompatibleServer(
            f"OpenCode {version or 'of an unknown version'} cannot be driven yet",
            why="its plugins, permissions and events are of another generation",
            cure="install OpenCode 1.18",
        )


def _prompt(text: str, model: str | None, agent: str | None, tools: dict[str, bool] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"parts": [{"type": "text", "text": text}]}
    if model is not None:
        body["model"] = msgspec.to_builtins(ModelRef.parse(model))
    if agent is not None:
        body["agent"] = agent
    if tools is not None:
        body["tools"] = tools
    return body


def _event(raw: bytes) -> Event | None:
    told = object_in(raw)
    told = told.get("payload", told)
    try:
        return msgspec.convert(told, Event)
    except msgspec.ValidationError:
        return None


def _away(url: str, fault: Exception) -> OpenCodeAway:
    slow = isinstance(fault, TimeoutError)
    return OpenCodeAway(
        f"OpenCode at {url} does not answer", why="not in time" if slow else str(fault) or type(fault).__name__,
        cure="start it with `opencode serve`",
    )  # fmt: skip

"""What an OpenCode of generation 1 answers and tells, read leniently: only the fields that we use; and its faults."""

from typing import Any, Literal

import msgspec

from ..errors import ControlPlaneError


class OpenCodeError(ControlPlaneError):
    """OpenCode, or what passes for it."""

    code = "opencode"


class OpenCodeAway(OpenCodeError):
    """Nobody answers, or not in time."""

    code = "opencode.away"


class IncompatibleServer(OpenCodeError):
    """Something answers, but it is not an OpenCode that this port can drive."""

    code = "opencode.incompatible"


class OpenCodeRefused(OpenCodeError):
    """OpenCode answered with an error."""

    code = "opencode.refused"

    def __init__(self, what: str, *, status: int, why: str = "", cure: str = "") -> None:
        super().__init__(what, why=why, cure=cure)
        self.status = status


class ModelRef(msgspec.Struct, frozen=True, rename="camel"):
    """A model as OpenCode names it; `str()` gives `provider/model`."""

    provider_id: str = msgspec.field(name="providerID")
    model_id: str = msgspec.field(name="modelID")

    @classmethod
    def parse(cls, name: str) -> "ModelRef":
        provider, slash, model = name.partition("/")
        if not slash or not provider or not model:
            raise OpenCodeError(f"{name!r} names no model", why="it must read provider/model")
        return cls(provider, model)

    def __str__(self) -> str:
        return f"{self.provider_id}/{self.model_id}"


class Session(msgspec.Struct, frozen=True):
    id: str
    title: str = ""
    directory: str = ""
    parent: str | None = msgspec.field(name="parentID", default=None)
    cost: float = 0.0


class CacheTokens(msgspec.Struct, frozen=True):
    read: float = 0
    write: float = 0


class Tokens(msgspec.Struct, frozen=True):
    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: CacheTokens = CacheTokens()


class Span(msgspec.Struct, frozen=True):
    """Milliseconds since 1970."""

    created: float = 0
    completed: float | None = None


class Fault(msgspec.Struct, frozen=True):
    name: str = ""
    data: dict[str, Any] = {}

    @property
    def message(self) -> str:
        return str(self.data.get("message", ""))

    @property
    def status(self) -> int | None:
        status = self.data.get("statusCode")
        return status if isinstance(status, int) else None


class MessageInfo(msgspec.Struct, frozen=True):
    id: str
    role: Literal["user", "assistant"]
    session: str = msgspec.field(name="sessionID", default="")
    parent: str | None = msgspec.field(name="parentID", default=None)
    provider: str | None = msgspec.field(name="providerID", default=None)
    model_id: str | None = msgspec.field(name="modelID", default=None)
    asked: ModelRef | None = msgspec.field(name="model", default=None)
    agent: str | None = None
    finish: str | None = None
    cost: float = 0.0
    tokens: Tokens = Tokens()
    time: Span = Span()
    error: Fault | None = None

    @property
    def model(self) -> str | None:
        """`provider/model` that answered, or that the user's message asked for."""
        if self.provider and self.model_id:
            return f"{self.provider}/{self.model_id}"
        return str(self.asked) if self.asked is not None else None


class Message(msgspec.Struct, frozen=True):
    info: MessageInfo
    parts: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        return "".join(str(part.get("text", "")) for part in self.parts if part.get("type") == "text")

    @property
    def tools(self) -> list[dict[str, Any]]:
        return [part for part in self.parts if part.get("type") == "tool"]


class Event(msgspec.Struct, frozen=True):
    type: str
    properties: dict[str, Any] = {}
    id: str = ""

    @property
    def session(self) -> str | None:
        told = self.properties.get("sessionID") or _inner(self.properties, "info").get("sessionID")
        told = told or _inner(self.properties, "part").get("sessionID")
        if told is None and self.type.startswith("session."):
            told = _inner(self.properties, "info").get("id")
        return told if isinstance(told, str) else None


class Probe(msgspec.Struct, frozen=True):
    version: str
    generation: int


def _inner(told: dict[str, Any], name: str) -> dict[str, Any]:
    inner = told.get(name)
    return inner if isinstance(inner, dict) else {}

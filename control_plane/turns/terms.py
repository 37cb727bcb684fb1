"""What the plugin tells of a turn, what it is answered, and what turns need of the plane."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from .events import Limits, Usage


class Counsel(Protocol):
    """What is read of the router's advice."""

    @property
    def decision_id(self) -> str: ...
    @property
    def arm(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...


class Deciding(Protocol):
    """What turns need of the plane."""

    @property
    def advise(self) -> Callable[[Any], Any]: ...
    @property
    def record_result(self) -> Callable[..., None]: ...
    def flush(self, timeout: float | None = None) -> None: ...


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prompt, as the plugin tells it: `asked` is the model that OpenCode would use, `picked` who chose it.

    `sample` is empty unless somebody turned samples on, and is redacted before anything is written. `unadvised` says
    why the turn went on before it was told here; there is nothing left to advise then.
    """

    turn: str
    session: str
    asked: str
    picked: str = "default"
    connected: tuple[str, ...] = ()
    task_type: str = "general"
    parent: str | None = None
    agent: str | None = None
    directory: str = ""
    prompt_sha256: str = ""
    prompt_bytes: int = 0
    sample: str = ""
    unadvised: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What the turn is to be done with; in observe mode `model` is what was asked for."""

    turn: str
    model: str
    advised: str
    auto: bool
    decision: str | None
    changed: bool
    reason: str
    estimate_usd: float | None
    room: "Room"


class Room(msgspec.Struct, frozen=True):
    """What is spent and what may be; `warn` has words once four fifths of a limit are spent."""

    limits: Limits
    session_usd: float
    session_requests: int
    day_usd: float
    day_requests: int
    warn: str = ""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    turn: str
    session: str
    message: str
    model: str
    usage: Usage
    finish: str | None = None
    error: str | None = None


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    turn: str
    session: str
    model: str
    usage: Usage
    steps: int = 0
    error: str | None = None
    effects: bool = False
    retry_after_s: float | None = None


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    turn: str
    session: str
    failed: str
    error: str
    connected: tuple[str, ...] = ()
    effects: bool = False
    usage: Usage = Usage()


class Moved(msgspec.Struct, frozen=True):
    """Where a turn goes on after a failure; `model` is empty where it stays, and `reason` says why."""

    model: str | None
    reason: str
    attempt: int = 0


class Share(msgspec.Struct, frozen=True):
    """How much is known of what came of the turns."""

    ended: int
    known: int

    @property
    def share(self) -> float:
        return self.known / self.ended if self.ended else 0.0

"""What a run needs of a worker, whichever program it is."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from .trace import Seen


class Idle(NamedTuple):
    """The turn is over."""


class Erred(NamedTuple):
    """The model, or the worker's program, says that it failed; `kind` model, retries, permission or stream."""

    kind: str
    what: str
    status: int = 0


class Retrying(NamedTuple):
    """The worker tries its model again by itself."""

    attempt: int
    what: str
    status: int = 0


class Alive(NamedTuple):
    """Something happened that is neither a call nor words; it works."""


class Resumed(NamedTuple):
    """The stream of events was cut and goes on."""

    times: int


class Died(NamedTuple):
    what: str


class Stop(NamedTuple):
    """Somebody ends the run."""

    why: str


Signal = Seen | Idle | Erred | Retrying | Alive | Resumed | Died | Stop


class Spent(NamedTuple):
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""


class Worker(Protocol):
    version: str
    pid: int
    url: str

    def start(self, sink: Callable[[Signal], None], session: str = "") -> str:
        """Start it, listen, and open a session, or the one of an earlier run; answers its name."""

    def ask(self, text: str, model: str) -> None: ...
    def abort(self) -> None: ...
    def spent(self) -> Spent: ...
    def models(self) -> list[str]: ...
    def close(self) -> None: ...

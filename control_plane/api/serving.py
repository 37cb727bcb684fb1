"""The server's life: a socket, a token, structured logs, and an end that loses nothing."""

import contextlib
import gc
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from types import FrameType
from typing import Any

import msgspec
import structlog
import uvicorn

from ..access.issuing import issuer_of
from ..access.projection import ACCESS
from ..access.tokens import Access, Issuer
from ..clock import Clock
from ..errors import SettingsError
from ..ledger.keys import kept_secret
from ..plane import ControlPlane
from ..redacting import without_secrets_in
from .app import create_app
from .protocol import Bounded
from .stream import Hub
from .tracing import configured_spans

DRAIN_S = 10
_BACKLOG = 2048


class Server(uvicorn.Server):
    """On a signal the streams end first: they would hold up the drain for ever. With `idle_s` it ends unasked too."""

    def __init__(self, config: uvicorn.Config, hub: Hub, clock: Clock, idle_s: float | None = None) -> None:
        super().__init__(config)
        self._hub, self._clock, self._idle_s = hub, clock, idle_s
        self._answered, self._busy = 0, clock.monotonic()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or (self._idle_s is not None and self._forgotten(self._idle_s))

    def _forgotten(self, idle_s: float) -> bool:
        """Nobody has asked for so long that nobody will miss it; whoever holds a connection is still there."""
        state, now = self.server_state, self._clock.monotonic()
        if state.connections or state.total_requests != self._answered:
            self._answered, self._busy = state.total_requests, now
        return now - self._busy >= idle_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the server, not the process: the plane has yet to be closed."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._hub.close()
        super().handle_exit(sig, frame)


def token_of(plane: ControlPlane) -> str:
    """The home's own token, made at first use, readable by its owner only."""
    made = kept_secret(plane.token_file, f"{secrets.token_urlsafe(32)}\n".encode())
    return made.decode("ascii").strip()


def listening(host: str, port: int) -> socket.socket:
    """Bound before anybody is told the address; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as fault:
        sock.close()
        raise SettingsError(
            f"{host}:{port} cannot be listened on", why=fault.strerror or str(fault), cure="name another --port"
        ) from None
    sock.listen(_BACKLOG)
    return sock


def serve(
    plane: ControlPlane, sock: socket.socket, issuers: dict[str, Issuer], names: Iterable[str] = (), *,
    idle_s: float | None = None,
) -> None:  # fmt: skip
    """Until SIGTERM or SIGINT, or until nobody has asked for `idle_s`.

    What was accepted is in the ledger when this returns and the plane is closed.
    """
    token = token_of(plane)
    hub, revoked = Hub(), plane.folder.state(ACCESS).revoked
    own = issuer_of(plane.token_file.parent)
    access = Access(lambda: token, {own.name: own, **issuers}, plane.ledger.clock.now, revoked.__contains__)
    app = create_app(plane, access, hub, configured_spans(), names=(sock.getsockname()[0], *names))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on",
        server_header=False, ws="none", http=Bounded,
        timeout_graceful_shutdown=DRAIN_S, timeout_keep_alive=30,
    )  # fmt: skip
    # What is here by now stays: the collector need not look at it again while requests wait.
    gc.collect()
    gc.freeze()
    Server(config, hub, plane.ledger.clock, idle_s).run(sockets=[sock])
    plane.audit.flush()


def _without_secrets(_: Any, __: str, told: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names and paths come from callers, and a caller may have put anything there."""
    for name, value in told.items():
        told[name] = without_secrets_in(value if not isinstance(value, list) else tuple(value))
    return told


def log_as_json(*, debug: bool = False) -> None:
    """One JSON object a line on stderr; stdout belongs to results."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_secrets,
            structlog.processors.JSONRenderer(serializer=lambda told, **_: msgspec.json.encode(told, enc_hook=str)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=lambda *_: structlog.BytesLogger(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

"""How many streams one token may keep open: each costs memory and looks for as long as it lasts."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ..access.tokens import Caller
from ..errors import ControlPlaneError

MOST_STREAMS: Final = 32


class TooManyStreams(ControlPlaneError):
    """This token has as many streams open as it may."""

    code = "http.too-many-streams"


class Streams:
    def __init__(self) -> None:
        self._open = Counter[str | None]()

    @contextlib.contextmanager
    def one_of(self, path: str, caller: Caller | None) -> Iterator[None]:
        """Held while that is answered."""
        if caller is None or not _endless(path):
            yield
            return
        if self._open[caller.jti] >= MOST_STREAMS:
            raise TooManyStreams(f"this token has {MOST_STREAMS} streams open", cure="close one, or share one")
        self._open[caller.jti] += 1
        try:
            yield
        finally:
            self._open[caller.jti] -= 1
            if not self._open[caller.jti]:
                del self._open[caller.jti]


def _endless(path: str) -> bool:
    return path == "/api/events" or (path.startswith("/v1/threads/") and path.endswith("/messages"))

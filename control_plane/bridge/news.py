"""Who watches a thread from an event loop hears at once what is written here, and soon what is written elsewhere."""

import asyncio
from types import TracebackType

from .service import Bridge

# How soon a watcher sees what another process posted.
LOOK_EVERY = 0.1


class News:
    """Held while somebody watches; `wait` ends when something was written, or after a moment."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge, self._loop, self._came = bridge, asyncio.get_running_loop(), asyncio.Event()

    def __enter__(self) -> "News":
        self._bridge.heard(self._tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bridge.unheard(self._tell)

    def forget(self) -> None:
        """Before a look: what comes from now on is news."""
        self._came.clear()

    async def wait(self) -> bool:
        """Whether something was written here."""
        try:
            await asyncio.wait_for(self._came.wait(), LOOK_EVERY)
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._came.set)

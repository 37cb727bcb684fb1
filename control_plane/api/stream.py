"""What the ledger commits, as it comes: one encoding for all who watch, and nobody who is slow holds up the others."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence

from ..ledger.backend import Row

# Events that one watcher may be behind; beyond that it is told to look again instead.
MOST_WAITING = 1000
# Events that one commit brings to a watcher; bigger commits are told by their count.
MOST_OF_A_COMMIT = 50
BEAT_S = 15.0


class Hub:
    """Commits come in from the committer's thread; watchers live in the server's loop."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self._lock = threading.Lock()
        self.closed = False

    def __len__(self) -> int:
        return len(self._watchers)

    def on_commit(self, rows: Sequence[Row]) -> None:
        with self._lock:
            watchers = list(self._watchers)
        if not watchers:
            return
        told = [(row[0], row[3], row[4]) for row in rows[-MOST_OF_A_COMMIT:]]
        for watcher in watchers:
            watcher.loop.call_soon_threadsafe(watcher.take, told, len(rows))

    def watch(self) -> "Watcher":
        watcher = Watcher(self, asyncio.get_running_loop())
        with self._lock:
            self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: "Watcher") -> None:
        with self._lock:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Every stream ends; used when the server drains."""
        self.closed = True
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher.loop.call_soon_threadsafe(watcher.wake)


class Watcher:
    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._hub, self._news, self._waiting, self._lost = hub, asyncio.Event(), deque[tuple[int, str, bytes]](), 0

    def take(self, told: list[tuple[int, str, bytes]], of: int) -> None:
        self._lost += of - len(told)
        self._waiting.extend(told)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
        self._news.set()

    def wake(self) -> None:
        self._news.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Server-sent events: `event` with the fact as JSON, `missed` with how many were left out, a beat when idle."""
        try:
            yield b": here\n\n"
            while not self._hub.closed:
                try:
                    await asyncio.wait_for(self._news.wait(), BEAT_S)
                except TimeoutError:
                    yield b": beat\n\n"
                    continue
                self._news.clear()
                if self._lost:
                    lost, self._lost = self._lost, 0
                    yield b'event: missed\ndata: {"count":%d}\n\n' % lost
                while self._waiting:
                    position, topic, state = self._waiting.popleft()
                    yield framed(position, topic, state)
        finally:
            self._hub.leave(self)


def framed(position: int, topic: str, state: bytes) -> bytes:
    fact = state if isinstance(state, bytes) else bytes(state)
    return b'id: %d\nevent: %s\ndata: {"position":%d,"topic":"%s","fact":%s}\n\n' % (
        position, topic.encode(), position, topic.encode(), fact,
    )  # fmt: skip

"""The latest entries of an endless stream: two generations, so that forgetting costs nothing."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers the last `most` entries at least, and twice as many at most.

    Deleting the oldest key of a dict one by one would make each deletion walk over all that went before it.
    """

    __slots__ = ("_before", "_most", "_now")

    def __init__(self, most: int) -> None:
        self._now: dict[K, V] = {}
        self._before: dict[K, V] = {}
        self._most = most

    def get(self, key: K) -> V | None:
        found = self._now.get(key)
        return self._before.get(key) if found is None else found

    def put(self, key: K, value: V) -> None:
        now = self._now
        now[key] = value
        if len(now) > self._most:
            self._before, self._now = now, {}

    def __len__(self) -> int:
        return len(self._now) + len(self._before)

"""What one commit of this process stored: consecutive rows of one stream, made when somebody looks at them."""

from collections.abc import Iterator, Sequence
from typing import overload

from .backend import Row


class Commit(Sequence[Row]):
    """A row that nobody keeps is gone at once: thousands that live together would wake the collector of a busy host."""

    __slots__ = ("_first", "_states", "_stream", "_topics", "_version")

    def __init__(self, first: int, stream: str, version: int, topics: list[str], states: list[bytes]) -> None:
        self._first, self._stream, self._version = first, stream, version
        self._topics, self._states = topics, states

    def __len__(self) -> int:
        return len(self._states)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "Commit": ...
    def __getitem__(self, index: int | slice) -> "Row | Commit":
        if isinstance(index, slice):
            start, _, step = index.indices(len(self))
            if step != 1:
                raise ValueError("rows are consecutive")
            return Commit(
                self._first + start, self._stream, self._version + start, self._topics[index], self._states[index]
            )
        at = range(len(self))[index]
        return Row(self._first + at, self._stream, self._version + at, self._topics[at], self._states[at])

    def __iter__(self) -> Iterator[Row]:
        stream, apart = self._stream, self._version - self._first
        for position, (topic, state) in enumerate(zip(self._topics, self._states, strict=True), self._first):
            yield Row(position, stream, position + apart, topic, state)

"""The port behind which a database stands; SQLite and Postgres pass the same contract tests."""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from .sealing import Authority, TreeStore


class Row(NamedTuple):
    position: int
    stream: str
    version: int
    topic: str
    state: bytes


class Backend(Protocol):
    def insert(self, stream: str, first_version: int, topics: list[str], states: list[bytes]) -> int:
        """Store and sign consecutive versions of a stream; the position of the first.

        A version that is already there raises IntegrityError.
        """

    def stored_upto(self, stream: str) -> int:
        """The highest stored version of a stream, 0 when there is none."""

    def rows(self, after: int, limit: int) -> list[Row]:
        """The next events in the order of their positions."""

    def row_of(self, stream: str, version: int) -> Row | None: ...

    def own_rows(self) -> list[Row]:
        """The few events of the ledger itself: its beginning, its keys, its archives."""

    def size(self) -> int:
        """The position of the last stored event."""

    def tree(self) -> AbstractContextManager[TreeStore]:
        """The tree as of one moment."""

    def changed(self) -> bool:
        """Whether another process has committed since the last time that this was asked."""

    def check_place(self) -> None:
        """Raise when what is committed here would not be found where others look for it."""

    def use(self, authority: Authority) -> None:
        """Sign with these keys from now on."""

    def close(self) -> None: ...

"""Decide on what is known, write it, and decide again when somebody else was first."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from ..errors import Conflict
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from .folding import Folder

# Those of one home take turns and are never overtaken; another host may be faster a few times, hardly so often.
TRIES = 32
T = TypeVar("T")


class Decision(NamedTuple, Generic[T]):
    """What to write at which version of the stream, and what to tell the caller once it is written."""

    expected: int
    events: Sequence[Event]
    result: T


def write(ledger: Ledger, folder: Folder, stream: str, decide: Callable[[], Decision[T]]) -> T:
    """`decide` sees all that is in the log; without events nothing is written."""
    for left in reversed(range(TRIES)):
        with ledger.turn():
            folder.catch_up()
            expected, events, result = decide()
            if not events:
                return result
            try:
                ledger.append(stream, events, expected=expected)
                return result
            except Conflict:
                if not left:
                    raise
    raise AssertionError("the last try returns or raises")

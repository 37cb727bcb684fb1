"""Messages, read from where they lie in the log; what was read lately is at hand."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..ledger.backend import Row
from ..ledger.events import Catalogue
from .auditing import iso
from .events import MessagePosted
from .state import Thread

AT_HAND = 4096
RowOf = Callable[[str, int], Row | None]


def stream_of(workspace: str) -> str:
    """One stream for all threads of a workspace, so that what is said at the same time is one commit."""
    return f"bridge-{workspace}"


class Messages:
    def __init__(self, row_of: RowOf, catalogue: Catalogue) -> None:
        self._row_of, self._catalogue = row_of, catalogue
        self._known: OrderedDict[tuple[str, int], MessagePosted] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, posted: MessagePosted) -> None:
        with self._lock:
            self._known[posted.thread, posted.seq] = posted
            while len(self._known) > AT_HAND:
                self._known.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._known.clear()

    def page(self, workspace: str, thread: str, first: int, places: list[int]) -> list[MessagePosted]:
        """The messages from `first` on, which lie at these versions of the workspace's stream."""
        return [self._one(workspace, thread, seq, place) for seq, place in enumerate(places, first)]

    def _one(self, workspace: str, thread: str, seq: int, place: int) -> MessagePosted:
        with self._lock:
            known = self._known.get((thread, seq))
        if known is not None:
            return known
        row = self._row_of(stream_of(workspace), place)
        assert row is not None, f"message {seq} of {thread} is in the fold and not in the log"
        posted = self._catalogue.decode(row.topic, bytes(row.state))
        assert isinstance(posted, MessagePosted)
        assert posted.seq == seq
        self.keep(posted)
        return posted


def shown(posted: MessagePosted) -> dict[str, Any]:
    """A message as its readers get it."""
    found: dict[str, Any] = {
        "message_id": posted.message, "schema_version": posted.schema_version, "seq": posted.seq,
        "kind": str(posted.kind), "body": posted.body, "sender_agent_id": posted.actor, "created_at": iso(posted.at),
    }  # fmt: skip
    if posted.metadata:
        found["metadata"] = posted.metadata
    if posted.in_reply_to is not None:
        found["in_reply_to"] = posted.in_reply_to
    if posted.to:
        found["to"] = list(posted.to)
    return found


def slice_of(thread: Thread, since: int, limit: int) -> list[int]:
    return thread.places[since : since + limit]

"""Commands that wait while a commit runs are decided together and written by the next one.

A sync of the disk takes milliseconds: one for each message would be all that a workspace can say in that time. Each
command is decided after the ones before it, on a draft of its thread that has their events already.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec

from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder
from .faults import Internal
from .projection import BRIDGE
from .reading import stream_of
from .state import BridgeState, Key, Thread, fold

MOST = 128
Decide = Callable[[Thread | None], list[Event]]


class _Command:
    __slots__ = ("decide", "done", "events", "fault", "thread", "workspace")

    def __init__(self, workspace: str, thread: str, decide: Decide) -> None:
        self.workspace, self.thread, self.decide = workspace, thread, decide
        self.events: list[Event] = []
        self.fault: Exception | None = None
        self.done = False


class Gathering:
    def __init__(self, ledger: Ledger, folder: Folder) -> None:
        self._ledger, self._folder = ledger, folder
        self._waiting: list[_Command] = []
        self._adding, self._serving = threading.Lock(), threading.Lock()

    def write(self, workspace: str, thread: str, decide: Decide) -> list[Event]:
        """The events that were written; whoever comes first serves all that wait."""
        mine = _Command(workspace, thread, decide)
        with self._adding:
            self._waiting.append(mine)
        with self._serving:
            while not mine.done:
                self._serve()
        if mine.fault is not None:
            raise mine.fault
        return mine.events

    def _serve(self) -> None:
        with self._adding:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        groups: dict[str, list[_Command]] = defaultdict(list)
        for one in batch:
            groups[one.workspace].append(one)
        for workspace, group in groups.items():
            try:
                self._write(workspace, group)
            except BaseException as fault:
                # Nothing was written, whatever was decided: an interrupt of the one who serves fails the others too.
                told = fault if isinstance(fault, Exception) else Internal("whoever wrote for others was interrupted")
                for one in group:
                    one.fault = one.fault or told
                if told is not fault:
                    raise
            finally:
                for one in group:
                    one.done = True

    def _write(self, workspace: str, group: list[_Command]) -> None:
        def decide() -> deciding.Decision[None]:
            with self._folder.still():
                state = self._folder.state(BRIDGE)
                return deciding.Decision(state.versions.get(workspace, 0), _decide(state, group), None)

        deciding.write(self._ledger, self._folder, stream_of(workspace), decide)


def _decide(state: BridgeState, group: list[_Command]) -> list[Event]:
    events: list[Event] = []
    drafts: dict[str, Thread] = {}
    many = Counter(one.thread for one in group)
    for one in group:
        one.events, one.fault = [], None
        thread = drafts.get(one.thread) or state.threads.get(one.thread)
        try:
            one.events = one.decide(thread)
        except Exception as fault:
            # Refused, or a defect: either way its own affair, not that of those who wait with it.
            one.fault = fault
            continue
        if one.events and thread is not None and many[one.thread] > 1:
            draft = drafts.setdefault(one.thread, thread if one.thread in drafts else _draft_of(thread))
            scratch = BridgeState(threads={one.thread: draft})
            for event in one.events:
                fold(scratch, event)
        events += one.events
    return events


class _Keys(dict[str, Key]):
    """What a thread knows, and what was added in the draft."""

    def __init__(self, known: dict[str, Key]) -> None:
        super().__init__()
        self._known = known

    def get(self, name: str, other: Key | None = None) -> Key | None:  # type: ignore[override]
        return super().get(name) or self._known.get(name, other)


def _draft_of(thread: Thread) -> Thread:
    """What the rules look at; where messages lie is no business of theirs, and keys are many."""
    copied = msgspec.structs.replace(thread, places=[], keys={})
    for name in (
        "participants",
        "cursors",
        "wanted",
        "since",
        "wanted_by",
        "open_findings",
        "repeated",
        "undeliverable",
    ):
        setattr(copied, name, getattr(thread, name).copy())
    copied.jobs = {name: msgspec.structs.replace(job) for name, job in thread.jobs.items()}
    copied.keys = _Keys(thread.keys)
    return copied

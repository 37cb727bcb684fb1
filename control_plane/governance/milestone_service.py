"""The way to the milestones: reacts to evidence that was recorded, and answers what may go on."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ..evidence.events import EvidenceRecorded
from ..flags.milestones import BRAKES, MILESTONES
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder, Projection
from . import milestone_events, milestones
from .milestones import FRESH_S, Answer, MilestoneState, Standing

MILESTONE = Projection("milestones", 1, MilestoneState, milestones.fold, (EvidenceRecorded, *milestone_events.EVENTS))
T = TypeVar("T")
STREAM = "milestones"


class Row(NamedTuple):
    """One item of the plan as it stands."""

    item: str
    milestone: str
    priority: str
    standing: Standing
    age_s: float | None
    digest: str
    switch: str
    frozen: bool


class Milestones:
    def __init__(self, ledger: Ledger, folder: Folder, *, fresh_s: float = FRESH_S) -> None:
        self._ledger, self._folder, self._fresh_s = ledger, folder, fresh_s

    def react(self) -> list[Event]:
        """Roll back what regressed, thaw what recovered; what was written, nothing when all is as it was."""

        def seen() -> deciding.Decision[list[Event]]:
            with self._folder.still():
                state = self._folder.state(MILESTONE)
                events = milestones.react(state, self._ledger.clock.now())
                return deciding.Decision(state.version, events, events)

        return deciding.write(self._ledger, self._folder, STREAM, seen)

    def may_go_strict(self, item: str) -> Answer:
        """Whether an item may go strict now, and what stands in the way."""
        return self._asked(lambda state, now: milestones.may_go_strict(state, item, now, self._fresh_s))

    def check_strict(self, item: str) -> None:
        """Raises MilestoneFrozen or EvidenceNotReady where the item may not go strict."""
        milestones.refuse(self.may_go_strict(item), item)

    def check_flip(self, name: str, value: str | None) -> None:
        """Raises where the flip would move something on that has to wait; a brake may always be pulled."""
        answer = self._asked(lambda state, now: milestones.may_flip(state, name, value, now, self._fresh_s))
        milestones.refuse(answer, name)

    def frozen(self) -> tuple[str, ...]:
        """The milestones that a regression holds."""
        return self._asked(lambda state, _: milestones.frozen(state))

    def rows(self) -> list[Row]:
        """The table: every item of the plan in its order."""
        return self._asked(lambda state, now: rows(state, now, self._fresh_s))

    def _asked(self, question: Callable[[MilestoneState, float], T]) -> T:
        self._folder.catch_up()
        with self._folder.still():
            return question(self._folder.state(MILESTONE), self._ledger.clock.now())


def rows(state: MilestoneState, now: float, fresh_s: float = FRESH_S) -> list[Row]:
    held = milestones.frozen(state)
    return [
        Row(
            item,
            milestone.name,
            milestone.priority,
            milestones.standing(state, item, now, fresh_s),
            now - seen.measured_at if seen is not None else None,
            seen.digest if seen is not None else "",
            BRAKES[item].flag if item in BRAKES else milestone.switch,
            milestone.name in held,
        )
        for milestone in MILESTONES
        for item in milestone.items
        for seen in (state.evidence.get(item),)
    ]

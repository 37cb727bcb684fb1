"""What can happen to a milestone. The flips that go with it lie beside it in the same commit."""

from typing import ClassVar

from ..ledger.events import Event


class MilestoneRolledBack(Event, frozen=True, kw_only=True):
    """The evidence of an item turned red: its flag and its milestone go back, what is downstream is frozen."""

    TOPIC: ClassVar[str] = "milestone.rolled-back"
    milestone: str
    item: str
    digest: str
    flipped: tuple[str, ...]
    frozen: tuple[str, ...]


class MilestoneThawed(Event, frozen=True, kw_only=True):
    """All that had turned red is green again; flags stay where they are until a person flips them."""

    TOPIC: ClassVar[str] = "milestone.thawed"
    milestone: str
    items: tuple[str, ...]
    thawed: tuple[str, ...]


EVENTS: tuple[type[Event], ...] = (MilestoneRolledBack, MilestoneThawed)

"""The plan's milestones, the items in each, and the brake of each item: what a milestone's switch rolls back."""

from collections.abc import Mapping
from typing import NamedTuple


class Brake(NamedTuple):
    """The flag of an item, and the value that rolls the item back."""

    flag: str
    value: str


class Milestone(NamedTuple):
    """`priority` is empty where nothing is changed, only measured."""

    name: str
    title: str
    priority: str
    switch: str
    items: tuple[str, ...]


BRAKES: Mapping[str, Brake] = {
    "FG-01": Brake("OPENCODE_ROUTER_BUFFERED_STATS", "false"),
    "FG-02": Brake("OPENCODE_SYNC_IO_FALLBACK", "true"),
    "FG-03": Brake("OPENCODE_LEARNING_INVALIDATION", "false"),
    "FG-04": Brake("OPENCODE_LEARNING_SIGNING_MODE", "require-signed"),
    "FG-05": Brake("OPENCODE_STRATEGY_BYPASS", "false"),
    "FG-06": Brake("OPENCODE_TAIL_SLO", "false"),
    "FG-07": Brake("OPENCODE_EVAL_GATE", "false"),
    "FG-08": Brake("OPENCODE_CADENCE_COORDINATION", "false"),
    "FG-09": Brake("OPENCODE_REPLAY_CAPTURE", "false"),
    "FG-10": Brake("OPENCODE_REVIEW_SLO", "false"),
    "FG-11": Brake("OPENCODE_RETRIEVAL_METRICS", "false"),
    "FG-12": Brake("OPENCODE_SIM_GATE", "false"),
}

MILESTONES: tuple[Milestone, ...] = (
    Milestone("M0", "baseline", "", "OPENCODE_MILESTONE_M0", ("M0",)),
    Milestone("M1", "P0 closure", "P0", "OPENCODE_MILESTONE_M1", ("FG-01", "FG-02", "FG-03", "FG-04")),
    Milestone("M2", "P1 closure", "P1", "OPENCODE_MILESTONE_M2", ("FG-05", "FG-06", "FG-07", "FG-08")),
    Milestone("M3", "P2 differentiators", "P2", "OPENCODE_MILESTONE_M3", ("FG-09", "FG-10", "FG-11", "FG-12")),
)

# Neither who signs nor which gates stand is ever weakened by a switch that names something else.
_NEVER_BESIDES = ("FG-04", "FG-07", "FG-12")


def rolled_back(milestone: Milestone) -> dict[str, str]:
    """The flags that stand at their brake while the milestone's switch is off."""
    return dict(BRAKES[item] for item in milestone.items if item in BRAKES and item not in _NEVER_BESIDES)

"""Whether a report still speaks of the present: what the log holds beyond the position up to which it looked."""

from collections.abc import Iterable

from ..ledger.backend import Row
from ..ledger.events import Catalogue
from ..router.events import ResultRecorded
from .artifacts import Bound
from .document import Gates
from .events import PolicyRolledBack
from .flag_events import FlagFlipped
from .verdicts import Verdict

HOUR = 3600.0
# A clock may run ahead of another a little.
TOLERANCE_S = 60.0
# A report that so many events have come after is not looked at any further.
FARTHEST = 50_000


def aged(report: Bound, gates: Gates, now: float) -> Verdict | None:
    if report.at > now + TOLERANCE_S:
        return "from_the_future"
    return "stale_age" if now - report.at > gates.most_hours * HOUR else None


def overtaken(rows: Iterable[Row], catalogue: Catalogue, policy: str, gates: Gates) -> Verdict | None:
    """The first fact after the report's position that makes it stale; results may come, but not too many."""
    results = 0
    for _, _, _, topic, stored in rows:
        if topic == FlagFlipped.TOPIC:
            return "stale_flags"
        if topic == PolicyRolledBack.TOPIC:
            event = catalogue.decode(topic, stored)
            if isinstance(event, PolicyRolledBack) and event.policy == policy:
                return "stale_rolled_back"
        results += topic == ResultRecorded.TOPIC
        if results > gates.most_results:
            return "stale_history"
    return None

"""The beat of the process: one scheduler for every poll and timer, so that no two of them meet by accident."""

from .polls import Entry, Poll
from .scheduler import Cadence
from .telemetry import Summary
from .timetable import OwnTimers, Staggered, Timetable

__all__ = ["Cadence", "Entry", "OwnTimers", "Poll", "Staggered", "Summary", "Timetable"]

"""The runs' fold, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import Runs, fold

RUNS = Projection("runner", 2, Runs, fold, EVENTS)

"""The runs of the suite, as the projections fold them."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import Runs, fold

DOGFOOD = Projection("dogfood", 1, Runs, fold, EVENTS)

"""The fold of the turns, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import Turns, fold

TURNS = Projection("turns", 3, Turns, fold, EVENTS)

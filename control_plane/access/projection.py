"""The fold of the door, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import AccessState, fold

ACCESS = Projection("access", 1, AccessState, fold, EVENTS)

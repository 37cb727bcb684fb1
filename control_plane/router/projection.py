"""The router's fold, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import RouterState, fold

ROUTER = Projection("router", 2, RouterState, fold, EVENTS)

"""The bridge's fold, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import BridgeState, fold

BRIDGE = Projection("bridge", 2, BridgeState, fold, EVENTS)

"""The router's fold, as the projections run it."""

from ..learning.events import AdviceInvalidated
from ..ledger.events import Event
from ..projections.folding import Projection
from .events import EVENTS
from .state import RouterState, fold

READS: tuple[type[Event], ...] = (*EVENTS, AdviceInvalidated)
ROUTER = Projection("router", 8, RouterState, fold, READS)

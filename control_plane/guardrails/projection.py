"""The guardrails' fold, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import State, fold

GUARD = Projection("guard", 1, State, fold, EVENTS)

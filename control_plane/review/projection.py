"""The queue's fold, as the projections run it."""

from ..projections.folding import Projection
from .events import EVENTS
from .state import Queue, fold

REVIEW = Projection("review", 1, Queue, fold, EVENTS)

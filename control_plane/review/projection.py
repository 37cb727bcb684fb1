"""The queue's fold, as the projections run it."""

from ..learning.events import GamingSuspected
from ..projections.folding import Projection
from .events import EVENTS
from .state import Queue, fold

REVIEW = Projection("review", 2, Queue, fold, (*EVENTS, GamingSuspected))

"""The fold of what was learned, as the projections run it."""

from ..projections.folding import Projection
from ..router.events import AdviceGiven
from .events import EVENTS
from .state import LearningState, fold

LEARNING = Projection("learning", 1, LearningState, fold, (*EVENTS, AdviceGiven))

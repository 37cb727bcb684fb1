"""The fold of policies and flips, as the projections run it."""

from ..projections.folding import Projection
from ..router.events import CatalogueDeclared
from .events import EVENTS
from .state import GovernanceState, fold

POLICIES = Projection("policies", 1, GovernanceState, fold, (*EVENTS, CatalogueDeclared))

"""Which rooms the house has: every event that may be written, and every state that is folded from them."""

from .ledger import facts
from .ledger.events import Catalogue
from .router import events as router_events
from .router.projection import ROUTER

CATALOGUE = Catalogue([*facts.EVENTS, *router_events.EVENTS])
PROJECTIONS = (ROUTER,)

"""Which rooms the house has: every event that may be written, and every state that is folded from them."""

from .governance import events as policy_events
from .governance.projection import POLICIES
from .ledger import facts
from .ledger.events import Catalogue
from .review import events as review_events
from .review.projection import REVIEW
from .router import events as router_events
from .router.projection import ROUTER

CATALOGUE = Catalogue([*facts.EVENTS, *router_events.EVENTS, *review_events.EVENTS, *policy_events.EVENTS])
PROJECTIONS = (ROUTER, REVIEW, POLICIES)

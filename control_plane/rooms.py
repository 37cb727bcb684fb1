"""Which rooms the house has: every event that may be written, and every state that is folded from them."""

from .access import events as access_events
from .access.projection import ACCESS
from .bridge import events as bridge_events
from .bridge.projection import BRIDGE
from .dogfood import events as dogfood_events
from .dogfood.projection import DOGFOOD
from .evidence import events as evidence_events
from .evidence.projection import EVIDENCE
from .governance import events as policy_events
from .governance import milestone_events, plugin_events
from .governance.milestone_service import MILESTONE
from .governance.plugin_service import PLUGINS
from .governance.projection import POLICIES
from .guardrails import events as guard_events
from .guardrails.projection import GUARD
from .learning import events as learning_events
from .learning.projection import LEARNING
from .ledger import facts
from .ledger.events import Catalogue
from .memory import events as memory_events
from .memory.projection import MEMORY
from .review import events as review_events
from .review.projection import REVIEW
from .router import events as router_events
from .router.projection import ROUTER
from .runner import events as run_events
from .runner.projection import RUNS
from .turns import events as turn_events
from .turns.projection import TURNS

CATALOGUE = Catalogue(
    [
        *facts.EVENTS,
        *router_events.EVENTS,
        *learning_events.EVENTS,
        *review_events.EVENTS,
        *memory_events.EVENTS,
        *policy_events.EVENTS,
        *evidence_events.EVENTS,
        *milestone_events.EVENTS,
        *plugin_events.EVENTS,
        *access_events.EVENTS,
        *guard_events.EVENTS,
        *bridge_events.EVENTS,
        *turn_events.EVENTS,
        *run_events.EVENTS,
        *dogfood_events.EVENTS,
    ]
)
PROJECTIONS = (
    ROUTER, REVIEW, MEMORY, POLICIES, EVIDENCE, MILESTONE, PLUGINS, LEARNING, ACCESS, GUARD, TURNS, BRIDGE, RUNS,
    DOGFOOD,
)  # fmt: skip

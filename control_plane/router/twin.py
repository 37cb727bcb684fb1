"""The same past as another policy would have seen it: its own breakers and tails, everything else shared."""

import copy

import msgspec

from .events import CatalogueDeclared, ResultRecorded
from .state import RouterState, fold, hear, start_probe
from .terms import Policy


class Twin:
    """What is believed of arms depends on no policy; when a breaker opens and what a slow tail is, does."""

    def __init__(self, state: RouterState, policy: Policy) -> None:
        self._policy = policy
        self.state = RouterState(
            beliefs=state.beliefs,
            running=state.running,
            seen=state.seen,
            tails=copy.deepcopy(state.tails),
            penalties=dict(state.penalties),
            heard=dict(state.heard),
            breakers=copy.deepcopy(state.breakers),
            held=dict(state.held),
        )

    def declare(self, event: CatalogueDeclared) -> None:
        fold(self.state, msgspec.structs.replace(event, policy=self._policy))

    def hear(self, event: ResultRecorded, truth: bool | None) -> None:
        hear(self.state, event, truth)

    def probe(self, arm: str, decision: str, at: float) -> None:
        start_probe(self.state, arm, decision, at)

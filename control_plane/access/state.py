"""Which tokens were revoked, and how often somebody was refused."""

import msgspec

from ..ledger.events import Event
from .events import AccessRefused, TokenRevoked


class AccessState(msgspec.Struct):
    revoked: dict[str, float] = {}
    refused: dict[str, int] = {}


def fold(state: AccessState, event: Event) -> None:
    if isinstance(event, TokenRevoked):
        state.revoked[event.jti] = event.at
    elif isinstance(event, AccessRefused):
        state.refused[event.code] = state.refused.get(event.code, 0) + event.count

"""A token that is let in no more, by a signed event."""

from ..errors import BadInput
from ..ledger.ledger import Ledger
from ..redacting import without_secrets
from .events import TokenRevoked

LONGEST = 200


def revoke(ledger: Ledger, jti: str, *, actor: str, reason: str) -> TokenRevoked:
    """In force when this returns; revoking twice harms nothing."""
    if not 0 < len(jti) <= LONGEST or not jti.isprintable():
        raise BadInput("that is no jti", cure=f"it is printable text of 1 to {LONGEST} characters")
    event = TokenRevoked(at=ledger.clock.now(), jti=jti, actor=actor, reason=without_secrets(reason))
    ledger.append("access", [event])
    return event

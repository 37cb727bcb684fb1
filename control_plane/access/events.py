"""What can happen at the door. Never a token, nor a part of one."""

from typing import ClassVar

from ..ledger.events import Event


class AccessRefused(Event, frozen=True, kw_only=True):
    """Requests that were refused: at which path, with which code, by which check; `count` since the last such event."""

    TOPIC: ClassVar[str] = "access.refused"
    path: str
    code: str
    count: int = 1
    reason: str = ""


class TokenRevoked(Event, frozen=True, kw_only=True):
    """The token with this jti is let in no more."""

    TOPIC: ClassVar[str] = "access.token-revoked"
    jti: str
    actor: str
    reason: str


EVENTS: tuple[type[Event], ...] = (AccessRefused, TokenRevoked)

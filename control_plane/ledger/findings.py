"""What an audit can find, and which of several findings is named first."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    ROLLBACK = "rollback"
    BAD_SIGNATURE = "bad-signature"
    UNKNOWN_KEY = "unknown-key"


class Finding(NamedTuple):
    """`position` is the first event that is not as signed; None when all are, and something else is not."""

    position: int | None
    reason: Reason
    detail: str


def first_of(findings: Iterable[Finding]) -> Finding | None:
    """The finding with the lowest position; of several at one position the one that was found first."""
    return min(findings, key=lambda found: float("inf") if found.position is None else found.position, default=None)

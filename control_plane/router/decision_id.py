"""An id that carries its arm and task key, and a MAC under the ledger's key: checked anywhere, without a look-up.

position-process-number-base64url(arm, type, repo)-mac
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from ..errors import BadInput

FOREIGN = "its seal does not fit: it was made by another home, or is not whole"


class UnknownDecision(BadInput):
    """This ledger issued no decision of that name."""

    code = "router.unknown-decision"


class Parsed(NamedTuple):
    position: int
    arm: str
    task_type: str
    repo: str | None


def pack_key(arm: str, task_type: str, repo: str | None) -> str:
    """The part that says what was decided; the same for each decision of one cached table and arm."""
    parts = "\x1f".join((arm, task_type) if repo is None else (arm, task_type, repo))
    return base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")


def seal(text: str, key: bytes) -> str:
    return sealer(key)(text)


def sealer(key: bytes) -> Callable[[str], str]:
    """For one who seals often: the key is taken in once."""
    keyed = blake2b(key=key, digest_size=8).copy

    def seal_with_it(text: str) -> str:
        mac = keyed()
        mac.update(text.encode())
        return f"{text}-{mac.hexdigest()}"

    return seal_with_it


def parse(decision: object, key: bytes) -> Parsed:
    """What an id says; raises unless this ledger issued it."""
    if not isinstance(decision, str) or len(decision) > 2000:
        raise UnknownDecision(f"{decision!r:.80} is not a decision of this ledger")
    text, dash, _ = decision.rpartition("-")
    if not dash or not text.isascii() or not hmac.compare_digest(decision.encode(), seal(text, key).encode()):
        raise UnknownDecision(
            f"{decision[:80]!r} is not a decision of this ledger",
            why=FOREIGN,
            cure="use an id as given, in the home that gave it",
        )
    position, _, _, packed = text.split("-", 3)
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise UnknownDecision(f"{decision[:80]!r} cannot be read") from None
    arm, task_type, *repo = raw.split("\x1f")
    return Parsed(int(position, 16), arm, task_type, repo[0] if repo else None)

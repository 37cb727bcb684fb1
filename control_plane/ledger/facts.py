"""The ledger's own facts: how it began, whose keys may sign it, what was recovered or moved."""

from typing import ClassVar

from .events import Event

STREAM = "ledger"


class LedgerCreated(Event, frozen=True, kw_only=True):
    """The first event of a home; the keys are verifier keys (`name+hash+base64`)."""

    TOPIC: ClassVar[str] = "ledger.created"
    ledger: str
    origin: str
    key: str
    recovery_key: str


class KeysChanged(Event, frozen=True, kw_only=True):
    """A key was admitted, retired, or both; the envelope carries the authority for it."""

    TOPIC: ClassVar[str] = "ledger.keys-changed"
    envelope: str


class JournalRecovered(Event, frozen=True, kw_only=True):
    """Frames of a writer that died were committed; `damaged` counts those that could not be read."""

    TOPIC: ClassVar[str] = "ledger.journal-recovered"
    writer: str
    frames: int
    damaged: int


class PrefixArchived(Event, frozen=True, kw_only=True):
    """Events up to `through` now lie in compressed bundles beside the database."""

    TOPIC: ClassVar[str] = "ledger.prefix-archived"
    through: int
    root: str


EVENTS: tuple[type[Event], ...] = (LedgerCreated, KeysChanged, JournalRecovered, PrefixArchived)

"""What can happen to evidence: it is recorded, with the digest of the file that says so."""

from typing import ClassVar, Literal

from ..ledger.events import Event

Result = Literal["green", "red"]


class EvidenceRecorded(Event, frozen=True, kw_only=True):
    """A proof's file was checked and signed; `measured_at` is when the proof ran, `digest` the file's SHA-256."""

    TOPIC: ClassVar[str] = "evidence.recorded"
    item: str
    result: Result
    digest: str
    measured_at: float
    file: str
    command: str
    switch: str
    key: str


EVENTS: tuple[type[Event], ...] = (EvidenceRecorded,)

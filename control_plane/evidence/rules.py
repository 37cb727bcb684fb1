"""When evidence may be recorded: pure, the book and a checked file in, events out."""

from ..errors import EvidenceInvalid
from .events import EvidenceRecorded
from .state import Book
from .template import Evidence

# Clocks of two hosts may differ by so much.
SKEW_S = 300.0


class EvidenceOutdated(EvidenceInvalid):
    """Newer evidence of that item is on record, or this one is from the future."""

    code = "evidence.outdated"


def record(book: Book, evidence: Evidence, digest: str, file: str, key: str, now: float) -> list[EvidenceRecorded]:
    """Nothing when this very file is the newest already."""
    known = book.newest.get(evidence.item)
    if known is not None and known.digest == digest:
        return []
    if evidence.at > now + SKEW_S:
        raise EvidenceInvalid(f"{file} was measured in the future", cure="set the clock right and run the proof again")
    if known is not None and evidence.at < known.measured_at:
        raise EvidenceOutdated(
            f"{file} is older than what is recorded of {evidence.item}",
            why=f"{known.file} was measured {known.measured_at - evidence.at:,.0f} s later",
            cure="run the proof again",
        )
    recorded = EvidenceRecorded(
        at=now,
        item=evidence.item,
        result="green" if evidence.green else "red",
        digest=digest,
        measured_at=evidence.at,
        file=file,
        command=evidence.command,
        switch=evidence.rollback.switch,
        key=key,
    )
    return [recorded]

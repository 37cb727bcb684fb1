"""The way in: checks a file, signs it, and writes into the log that it was seen."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import BadSignature, EvidenceInvalid
from ..ledger.ledger import Ledger
from ..ledger.notes import Signer, Verifier
from ..projections import deciding
from ..projections.folding import Folder
from . import rules
from .projection import EVIDENCE
from .signing import Verdict, sign, verify
from .state import Recorded

STREAM = "evidence"


class EvidenceBook:
    """`signer` and `keys` are asked each time: keys change while a plane is open."""

    def __init__(
        self, ledger: Ledger, folder: Folder, signer: Callable[[], Signer], keys: Callable[[], Sequence[Verifier]]
    ) -> None:
        self._ledger, self._folder, self._signer, self._keys = ledger, folder, signer, keys

    def record(self, path: Path) -> Recorded:
        """Sign the file if nobody did, and record it; the newest that is known of its item afterwards."""
        sign(path, self._signer())
        verdict = verify(path, self._keys())
        evidence = verdict.evidence
        if verdict.reason == "invalid" or evidence is None:
            raise EvidenceInvalid(verdict.why)
        if not verdict.ok:
            raise BadSignature(
                f"the signature beside {path.name} does not hold: {verdict.reason}",
                why=verdict.why,
                cure="run the proof again, or take the signature away and record the file again",
            )

        def seen() -> deciding.Decision[None]:
            with self._folder.still():
                book, now = self._folder.state(EVIDENCE), self._ledger.clock.now()
                events = rules.record(book, evidence, verdict.digest, path.name, verdict.key, now)
                return deciding.Decision(book.version, events, None)

        deciding.write(self._ledger, self._folder, STREAM, seen)
        return self.newest()[evidence.item]

    def newest(self) -> dict[str, Recorded]:
        """What is known of each item."""
        self._folder.catch_up()
        with self._folder.still():
            return dict(self._folder.state(EVIDENCE).newest)

    def verify(self, path: Path) -> Verdict:
        """Whether this file can be believed, under the keys that sign this ledger now."""
        return verify(path, self._keys())

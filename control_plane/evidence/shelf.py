"""What lies in a folder of evidence: of each item the newest file that can be believed at all."""

from collections.abc import Sequence
from pathlib import Path

from ..ledger.notes import Verifier
from .signing import Verdict, is_evidence, verify


def on_shelf(folder: Path, verifiers: Sequence[Verifier]) -> dict[str, Verdict]:
    newest: dict[str, tuple[float, Verdict]] = {}
    for path in sorted(filter(is_evidence, folder.iterdir())) if folder.is_dir() else ():
        verdict = verify(path, verifiers)
        if verdict.evidence is not None:
            item, at = verdict.evidence.item, verdict.evidence.at
            if item not in newest or newest[item][0] < at:
                newest[item] = (at, verdict)
    return {item: verdict for item, (_, verdict) in newest.items()}

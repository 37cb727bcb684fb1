"""The way in: signs what a run came to, and writes it into the log."""

from collections.abc import Callable
from typing import Any

from ..ledger.dsse import seal, statement
from ..ledger.ledger import Ledger
from ..ledger.notes import Signer
from ..projections import deciding
from ..projections.folding import Folder
from .events import RunFinished
from .projection import DOGFOOD
from .results import RunSummary
from .shelf import STATEMENT, RunFolder
from .state import Run

STREAM = "dogfood"
# In-toto's own vocabulary for the outcome of tests.
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"


class Dogfood:
    def __init__(self, ledger: Ledger, folder: Folder, signer: Callable[[], Signer]) -> None:
        self._ledger, self._folder, self._signer = ledger, folder, signer

    def record(self, run: RunFolder, summary: RunSummary, root: str) -> None:
        """Put a finished run on record, with the root of its evidence."""
        signer = self._signer()
        payload = statement(PREDICATE_TYPE, predicate(summary), {summary.run_id: root})
        run.write(STATEMENT, seal(payload, signer) + b"\n")
        run.write("key.txt", f"{signer.verifier}\n".encode())

        def ended() -> deciding.Decision[None]:
            with self._folder.still():
                event = RunFinished(
                    at=self._ledger.clock.now(), run=summary.run_id, commit=summary.repo_commit,
                    verdict=summary.final_verdict, standalone=summary.standalone, passed=summary.passed,
                    failed=summary.failed, skipped=summary.skipped, stop_reason=summary.stop_reason or "", root=root,
                    failures={one.case_id: one.failure_code or "" for one in summary.cases if one.status == "FAIL"},
                    key=str(signer.verifier),
                )  # fmt: skip
                return deciding.Decision(self._folder.state(DOGFOOD).version, [event], None)

        deciding.write(self._ledger, self._folder, STREAM, ended)

    def runs(self) -> list[Run]:
        """The newest last."""
        self._folder.catch_up()
        with self._folder.still():
            return list(self._folder.state(DOGFOOD).latest)


def predicate(summary: RunSummary) -> dict[str, Any]:
    by = {status: [one.case_id for one in summary.cases if one.status == status] for status in ("PASS", "FAIL")}
    return {
        "result": "PASSED" if summary.final_verdict == "PASS" else "FAILED",
        "configuration": [{"name": "repository", "digest": {"gitCommit": summary.repo_commit}}],
        "passedTests": by["PASS"],
        "warnedTests": [],
        "failedTests": by["FAIL"],
    }

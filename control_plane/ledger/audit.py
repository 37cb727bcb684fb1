"""The audit: every event, the tree, and every signature, from the stored bytes alone.

    verify(home | opened, workers=1, on_progress=…) -> Verdict

First the keys and the checkpoints, then the tree against the checkpoints, then every row against the tree.
"""

import base64
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import msgspec

from ..errors import ControlPlaneError
from .backend_evidence import BackendEvidence
from .diagnosis import Diagnosis
from .evidence import Evidence
from .findings import Finding, Reason, first_of
from .home import Home, Identity
from .keyring import Keyring
from .merkle import EMPTY_ROOT
from .notes import Checkpoint
from .opening import Opened, connect
from .scanpool import OnProgress, scan
from .sealing import Authority
from .signatures import check_note, check_notes, keyring_of, note_size
from .sqlite_evidence import SQLiteEvidence
from .trust import trusted
from .witness import Sighting, Witness


class Verdict(msgspec.Struct, frozen=True):
    """`first_bad` is the first event that is not as signed; None when all are, whatever else is damaged."""

    ok: bool
    events: int
    position: int
    root: str
    first_bad: int | None = None
    reason: Reason | None = None
    detail: str = ""


def verify(home: Home | Opened, workers: int = 1, on_progress: OnProgress = lambda _done, _total: None) -> Verdict:
    """Audit a home; it needs no key, changes nothing, and a damaged one gets a verdict, not an error."""
    folder = home.home if isinstance(home, Opened) else home
    identity = folder.identity()
    # Before the log: a commit in between must not look like a rollback.
    seen = _sighting(Witness(folder.witness, identity.ledger))
    with _evidence(home) as evidence:
        files = None if folder.address else (folder.database, folder.archive)
        disorder = _aside(evidence.disorder)
        return _judge(
            evidence,
            identity,
            seen,
            lambda size: scan(evidence, size, on_progress, workers=workers, files=files),
            disorder.result,
        )


def _aside(work: Callable[[], list[str]]) -> "Future[list[str]]":
    """Begin it beside the rest, in a thread that keeps nobody who gives up."""
    answer: Future[list[str]] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except Exception as fault:
            answer.set_exception(fault)

    threading.Thread(target=run, name="control-plane-audit", daemon=True).start()
    return answer


@contextlib.contextmanager
def _evidence(home: Home | Opened) -> Iterator[Evidence]:
    folder = home.home if isinstance(home, Opened) else home
    with contextlib.ExitStack() as stack:
        evidence: Evidence
        if folder.address is None:
            evidence = SQLiteEvidence(folder.database, folder.archive)
        elif isinstance(home, Opened):
            evidence = BackendEvidence(home.backend)
        else:
            identity = folder.identity()
            backend = connect(folder, Authority(None, Keyring(identity.origin, identity.root)))
            stack.callback(backend.close)
            evidence = BackendEvidence(backend)
        stack.callback(evidence.close)
        yield evidence


def _sighting(witness: Witness) -> Sighting | Finding | None:
    try:
        return witness.read()
    except ControlPlaneError as fault:
        return Finding(None, Reason.BAD_SIGNATURE, str(fault))


def _judge(
    evidence: Evidence,
    identity: Identity,
    seen: Sighting | Finding | None,
    scanned: Callable[[int], list[int]],
    disorder: Callable[[], list[str]],
) -> Verdict:
    keyring, strange_keys = keyring_of(identity, evidence.own_rows())
    notes = evidence.notes()
    size = max((filed for filed, _ in notes if isinstance(filed, int)), default=0)
    signed = check_notes(notes, identity.origin, keyring)
    witnessed = _witnessed(identity, keyring, size, seen)
    claims = {*signed.checkpoints, *([witnessed] if isinstance(witnessed, Checkpoint) else [])}
    trust = trusted(evidence, size, sorted(claims, key=lambda checkpoint: checkpoint.size))
    diagnosis = Diagnosis(evidence, size, scanned(size), trust)
    rows = list(diagnosis.findings())
    changed = first_of(rows)
    findings = [
        *rows,
        *strange_keys,
        *([witnessed] if isinstance(witnessed, Finding) else []),
        *signed.findings(changed.position if changed else None),
        *diagnosis.somewhere(),
        *(_other_history(stranger, witnessed) for stranger in trust.strangers),
        *trust.findings,
        *_unsigned(evidence, size),
        *map(_beside, evidence.archive_faults()),
        *_disordered(disorder()),
    ]
    head = signed.checkpoints[-1] if signed.checkpoints else Checkpoint(identity.origin, 0, EMPTY_ROOT)
    silent = "" if seen else "no witness: a rollback would not be seen"
    return _verdict(head, findings, lambda whole: size if whole else evidence.count(), silent)


def _verdict(head: Checkpoint, findings: list[Finding], events: Callable[[bool], int], silent: str) -> Verdict:
    first = first_of(findings)
    return Verdict(
        ok=first is None,
        events=events(first is None),
        position=head.size,
        root=base64.b64encode(head.root).decode(),
        first_bad=first.position if first else None,
        reason=first.reason if first else None,
        detail=_told(first, findings) if first else silent,
    )


def _witnessed(
    identity: Identity, keyring: Keyring, size: int, seen: Sighting | Finding | None
) -> Checkpoint | Finding | None:
    """What the witness saw and this log must lead to, or what is wrong between the two."""
    if not isinstance(seen, Sighting):
        return seen
    if seen.root_key != identity.root_key:
        return Finding(1, Reason.UNKNOWN_KEY, "this home names another first key than the witness")
    checkpoint = check_note(seen.note, identity.origin, keyring)
    highest = note_size(seen.note)
    if highest > size and (isinstance(checkpoint, Checkpoint) or checkpoint.reason is Reason.UNKNOWN_KEY):
        # A copy from before a change of keys does not know who signed what came after it.
        return Finding(size + 1, Reason.ROLLBACK, f"the log ends at position {size}, the witness saw {highest} events")
    if isinstance(checkpoint, Finding):
        return Finding(None, checkpoint.reason, f"the witness: {checkpoint.detail}")
    return checkpoint


def _other_history(stranger: Checkpoint, witnessed: Checkpoint | Finding | None) -> Finding:
    if stranger == witnessed:
        return Finding(None, Reason.ROLLBACK, f"the first {stranger.size} events are not those that the witness saw")
    return Finding(None, Reason.CHANGED, f"the checkpoint of {stranger.size} was signed for other events than these")


def _unsigned(evidence: Evidence, size: int) -> Iterator[Finding]:
    """Rows that no checkpoint covers."""
    if size == 0:
        yield Finding(1, Reason.MISSING, "there is no checkpoint")
    lowest = evidence.lowest()
    position = lowest if lowest is not None and lowest < 1 else evidence.beyond(size)
    if position is not None:
        yield Finding(position, Reason.ADDED, f"the event at position {position} was never signed")


def _beside(fault: str) -> Finding:
    return Finding(None, Reason.CHANGED, f"{fault}; the events themselves are intact; restore a backup of the database")


def _disordered(faults: list[str]) -> Iterator[Finding]:
    """SQLite's own check: an index that lies hides events from whoever looks for them, not from us."""
    if faults:
        named = f"SQLite's own check finds {faults[0].splitlines()[-1]!r}" + (" and more" if faults[1:] else "")
        cure = "REINDEX (`sqlite3 ledger.db REINDEX`) mends an index, a backup the rest"
        yield Finding(None, Reason.CHANGED, f"the file of the database is damaged: {named}; {cure}")


def _told(first: Finding, findings: list[Finding]) -> str:
    others = len({found.detail for found in findings} - {first.detail})
    return first.detail + (f"; {others} more findings" if others else "")

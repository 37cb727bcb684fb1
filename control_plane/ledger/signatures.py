"""Who signed what: the keys as the log itself tells them, each kept checkpoint checked with the keys of its time."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from ..errors import BadSignature, ControlPlaneError, KeyUnknown
from .events import Catalogue
from .evidence import RawRow
from .facts import EVENTS, LedgerCreated
from .findings import Finding, Reason
from .home import Identity
from .keyring import Keyring
from .notes import Checkpoint, MalformedNote, Note

_CATALOGUE = Catalogue(EVENTS)
_UNREADABLE = (ControlPlaneError, msgspec.MsgspecError, UnicodeDecodeError, AttributeError, TypeError)


class Signed(NamedTuple):
    """The checkpoints that hold, in the order of their sizes, and what is wrong with the others, by their sizes."""

    checkpoints: list[Checkpoint]
    refused: list[tuple[Any, Finding]]

    def findings(self, changed: int | None) -> Iterator[Finding]:
        """What is wrong, given the first event that is not as signed.

        It may have been the one that admitted a key: then nobody can say that a key of later is unknown.
        """
        for size, found in self.refused:
            if changed is None or found.reason is not Reason.UNKNOWN_KEY or size < changed:
                yield found


def keyring_of(identity: Identity, rows: Iterable[RawRow]) -> tuple[Keyring, list[Finding]]:
    """The keys that this log admits, beginning with the one that its home names."""
    keyring, findings = Keyring(identity.origin, identity.root), list[Finding]()
    for position, _, _, topic, state in rows:
        try:
            event = _CATALOGUE.decode(topic.decode(), state)
            if isinstance(event, LedgerCreated):
                if (position, event.key, event.origin) != (1, identity.root_key, identity.origin):
                    raise KeyUnknown("the log begins under another key than its home")
                keyring = Keyring.from_genesis(event)
            else:
                keyring.apply(position, event)
        except _UNREADABLE as fault:
            reason = Reason.UNKNOWN_KEY if isinstance(fault, KeyUnknown) else Reason.BAD_SIGNATURE
            findings.append(Finding(position, reason, f"position {position}: {fault}"))
    return keyring, findings


def check_notes(notes: Iterable[tuple[Any, Any]], origin: str, keyring: Keyring) -> Signed:
    """Check each note; an event whose checkpoint does not hold is not signed."""
    signed = Signed([], [])
    for size, text in notes:
        checkpoint = check_note(text, origin, keyring)
        if isinstance(checkpoint, Checkpoint) and checkpoint.size != size:
            checkpoint = Finding(
                None, Reason.BAD_SIGNATURE, f"the checkpoint of {checkpoint.size} is filed under {size}"
            )
        if isinstance(checkpoint, Checkpoint):
            signed.checkpoints.append(checkpoint)
        else:
            before = signed.checkpoints[-1].size if signed.checkpoints else 0
            detail = f"the checkpoint of {size}: {checkpoint.detail}"
            signed.refused.append((size, Finding(before + 1, checkpoint.reason, detail)))
    return signed


def check_note(text: Any, origin: str, keyring: Keyring) -> Checkpoint | Finding:
    try:
        note = Note.parse(text.decode() if isinstance(text, bytes) else text)
        checkpoint = note.checkpoint()
    except (MalformedNote, UnicodeDecodeError, AttributeError, TypeError) as fault:
        return Finding(None, Reason.BAD_SIGNATURE, f"it cannot be read: {fault}")
    try:
        note.signed_by(keyring.valid_at(checkpoint.size))
    except BadSignature as fault:
        return Finding(None, Reason.BAD_SIGNATURE, str(fault))
    except KeyUnknown:
        return _stranger(note, keyring)
    if checkpoint.origin != origin:
        return Finding(None, Reason.BAD_SIGNATURE, f"it is of {checkpoint.origin!r}, not of this log")
    return checkpoint


def note_size(text: str) -> int:
    """The size that a note speaks of, true or not."""
    try:
        return Note.parse(text).checkpoint().size
    except MalformedNote:
        return 0


def _stranger(note: Note, keyring: Keyring) -> Finding:
    """No key of that time signed: a key of another time, a falsified name, or somebody else?"""
    for verifier in keyring.terms():
        for name, hint, signature in note.signatures:
            try:
                verifier.verify(note.text.encode(), signature)
            except BadSignature:
                continue
            if (name, hint) == (verifier.name, verifier.hint):
                return Finding(None, Reason.UNKNOWN_KEY, f"{verifier} could not sign a log of that size")
            return Finding(None, Reason.BAD_SIGNATURE, "the name of its key was altered")
    return Finding(None, Reason.UNKNOWN_KEY, "no key of this log signed it")

"""Every error of the house, drawn as a tree; each carries a code that programs may rely on.

ControlPlaneError
├── BadInput                     input.*
├── HomeError                    home.*
│   ├── HomeUnusable             home.unusable
│   ├── HomeReadOnly             home.read-only
│   ├── ForeignHome              home.foreign
│   └── NewerHome                home.newer
├── LedgerError                  ledger.*
│   ├── LedgerClosed             ledger.closed
│   ├── LedgerUnavailable        ledger.unavailable
│   ├── Conflict                 ledger.conflict
│   ├── LedgerDamaged            ledger.damaged
│   ├── Rollback                 ledger.rollback
│   ├── UnknownTopic             ledger.unknown-topic
│   ├── BadEvent                 ledger.bad-event
│   ├── EventTooLarge            ledger.event-too-large
│   └── ArchiveRefused           ledger.archive-refused
├── JournalError                 journal.*
│   ├── JournalFull              journal.full
│   └── Forked                   journal.forked
├── KeyFault                     key.*
│   ├── KeyMissing               key.missing
│   ├── KeyUnsafe                key.unsafe
│   ├── KeyUnknown               key.unknown
│   ├── KeyRetired               key.retired
│   └── BadSignature             key.bad-signature
├── ProofError                   proof.*
├── EvidenceInvalid              evidence.invalid
├── SettingsError                settings.invalid
├── MissingExtra                 extra.missing
└── PlatformUnsupported          platform.unsupported
"""

from typing import ClassVar

# Said to people at a shell and to programs.
ANOTHER_HOME = "name another folder: with --home, or as the first argument of ControlPlane.open"


class ControlPlaneError(Exception):
    """What happened, why, and what to do next; `code` is stable, the words are not."""

    code = "control-plane"
    # What mostly helps, where who raises it knows nothing better.
    remedy: ClassVar[str] = ""

    def __init__(self, what: str, *, why: str = "", cure: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.cure = what, why, cure or self.remedy

    def __str__(self) -> str:
        return ". ".join(part.rstrip(".") for part in (self.what, self.why, self.cure) if part)


class BadInput(ControlPlaneError):
    """What was handed in makes no sense; refused before anything is written."""

    code = "input.invalid"


class HomeError(ControlPlaneError):
    """The folder of the ledger, or its settings."""

    code = "home"


class HomeUnusable(HomeError):
    """The home cannot be used on this machine, or as it lies there."""

    code = "home.unusable"


class HomeReadOnly(HomeError):
    """The home can be read but not written."""

    code = "home.read-only"
    remedy = "let this user write there, or name another --home; `control-plane doctor` says what is closed"


class ForeignHome(HomeError):
    """What lies there is another program's, or another ledger than was expected."""

    code = "home.foreign"
    remedy = "restore home.json from a backup, or name another --home"


class NewerHome(HomeError):
    """A newer program has upgraded the home; this one does not read it."""

    code = "home.newer"


class LedgerError(ControlPlaneError):
    """The store of the signed log."""

    code = "ledger"


class LedgerClosed(LedgerError):
    """It was closed; nothing more is taken."""

    code = "ledger.closed"


class LedgerUnavailable(LedgerError):
    """Locked, full or failing for now; nothing is lost, try again."""

    code = "ledger.unavailable"


class Conflict(LedgerError):
    """Somebody else wrote that version first; look again and decide anew."""

    code = "ledger.conflict"


class LedgerDamaged(LedgerError):
    """What is stored is not what was signed."""

    code = "ledger.damaged"


class Rollback(LedgerError):
    """An older copy than the witness saw."""

    code = "ledger.rollback"


class UnknownTopic(LedgerError):
    """An event whose topic this program does not know; a newer one wrote it."""

    code = "ledger.unknown-topic"


class BadEvent(LedgerError):
    """An event that does not fit its own shape."""

    code = "ledger.bad-event"


class EventTooLarge(LedgerError):
    """An event has more bytes than a leaf may have."""

    code = "ledger.event-too-large"


class ArchiveRefused(LedgerError):
    """That part of the log cannot be archived."""

    code = "ledger.archive-refused"


class JournalError(ControlPlaneError):
    """This process's journal."""

    code = "journal"


class JournalFull(JournalError):
    """The reserved journal is full, because commits have failed for long."""

    code = "journal.full"


class Forked(JournalError):
    """A forked child shares the journal's map, not the right to write; open it anew there."""

    code = "journal.forked"


class KeyFault(ControlPlaneError):
    """The keys that sign."""

    code = "key"


class KeyMissing(KeyFault):
    """The key file is not there."""

    code = "key.missing"


class KeyUnsafe(KeyFault):
    """Others can read the key file, or its own user cannot."""

    code = "key.unsafe"
    remedy = "run as the user whose key it is, or give it to this one: chown, then chmod 600"


class KeyUnknown(KeyFault):
    """The log does not know that key."""

    code = "key.unknown"


class KeyRetired(KeyFault):
    """The key was rotated or revoked; it signs nothing more."""

    code = "key.retired"


class BadSignature(KeyFault):
    """The signature does not hold."""

    code = "key.bad-signature"


class ProofError(ControlPlaneError):
    """A proof that does not lead where it says."""

    code = "proof.invalid"


class EvidenceInvalid(ControlPlaneError):
    """A proof's record that nobody should believe."""

    code = "evidence.invalid"


class SettingsError(ControlPlaneError):
    """A setting or flag that cannot be used; it names what is allowed."""

    code = "settings.invalid"


class MissingExtra(ControlPlaneError):
    """An optional package is not installed."""

    code = "extra.missing"


class PlatformUnsupported(ControlPlaneError):
    """The operating system lacks what it needs."""

    code = "platform.unsupported"

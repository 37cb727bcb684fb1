"""Every error of the house, drawn as a tree; each carries a code that programs may rely on.

ControlPlaneError
├── BadInput                     input.*            refused before anything is written
├── HomeError                    home.*             the folder or its settings
│   ├── HomeUnusable             home.unusable
│   ├── HomeReadOnly             home.read-only
│   ├── ForeignHome              home.foreign
│   └── NewerHome                home.newer
├── LedgerError                  ledger.*           the store
│   ├── LedgerClosed             ledger.closed
│   ├── LedgerUnavailable        ledger.unavailable locked, full or failing; nothing is lost, try again
│   ├── Conflict                 ledger.conflict    somebody else wrote that version first
│   ├── LedgerDamaged            ledger.damaged     what is stored is not what was signed
│   ├── Rollback                 ledger.rollback    an older copy than the witness saw
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
│   ├── KeyRetired               key.retired         the key was rotated or revoked; it signs nothing more
│   └── BadSignature             key.bad-signature
├── ProofError                   proof.*
├── EvidenceInvalid              evidence.invalid   a proof's record that nobody should believe
├── SettingsError                settings.invalid
├── MissingExtra                 extra.missing      an optional package is not installed
└── PlatformUnsupported          platform.unsupported   the operating system lacks what it needs
"""


class ControlPlaneError(Exception):
    """What happened, why, and what to do next; `code` is stable, the words are not."""

    code = "control-plane"

    def __init__(self, what: str, *, why: str = "", cure: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.cure = what, why, cure

    def __str__(self) -> str:
        return ". ".join(part.rstrip(".") for part in (self.what, self.why, self.cure) if part)


class BadInput(ControlPlaneError):
    code = "input.invalid"


class HomeError(ControlPlaneError):
    code = "home"


class HomeUnusable(HomeError):
    code = "home.unusable"


class HomeReadOnly(HomeError):
    code = "home.read-only"


class ForeignHome(HomeError):
    code = "home.foreign"


class NewerHome(HomeError):
    code = "home.newer"


class LedgerError(ControlPlaneError):
    code = "ledger"


class LedgerClosed(LedgerError):
    code = "ledger.closed"


class LedgerUnavailable(LedgerError):
    code = "ledger.unavailable"


class Conflict(LedgerError):
    code = "ledger.conflict"


class LedgerDamaged(LedgerError):
    code = "ledger.damaged"


class Rollback(LedgerError):
    code = "ledger.rollback"


class UnknownTopic(LedgerError):
    code = "ledger.unknown-topic"


class BadEvent(LedgerError):
    code = "ledger.bad-event"


class EventTooLarge(LedgerError):
    code = "ledger.event-too-large"


class ArchiveRefused(LedgerError):
    code = "ledger.archive-refused"


class JournalError(ControlPlaneError):
    code = "journal"


class JournalFull(JournalError):
    code = "journal.full"


class Forked(JournalError):
    code = "journal.forked"


class KeyFault(ControlPlaneError):
    code = "key"


class KeyMissing(KeyFault):
    code = "key.missing"


class KeyUnsafe(KeyFault):
    code = "key.unsafe"


class KeyUnknown(KeyFault):
    code = "key.unknown"


class KeyRetired(KeyFault):
    code = "key.retired"


class BadSignature(KeyFault):
    code = "key.bad-signature"


class ProofError(ControlPlaneError):
    code = "proof.invalid"


class EvidenceInvalid(ControlPlaneError):
    code = "evidence.invalid"


class SettingsError(ControlPlaneError):
    code = "settings.invalid"


class MissingExtra(ControlPlaneError):
    code = "extra.missing"


class PlatformUnsupported(ControlPlaneError):
    code = "platform.unsupported"

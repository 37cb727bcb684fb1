"""Whose signature counted when: a fold of the ledger's key events, each checked before it is believed."""

from typing import NamedTuple

import msgspec

from ..errors import BadEvent, KeyUnknown
from .dsse import open_envelope, seal, statement
from .events import Event
from .facts import KeysChanged, LedgerCreated
from .notes import Signer, Verifier

KEY_CHANGE = "https://control-plane.dev/key-change/v1"


class KeyChange(msgspec.Struct, frozen=True):
    """The predicate of a key change: authority for exactly one ledger."""

    ledger: str
    reason: str
    admits: str | None = None
    retires: tuple[str, ...] = ()


class _Statement(msgspec.Struct, frozen=True):
    predicateType: str  # noqa: N815 - the field's name in the in-toto format
    predicate: KeyChange


class Term(NamedTuple):
    """From which tree size to which a key's checkpoints count."""

    since: int
    until: int | None = None


class Keyring:
    def __init__(self, origin: str, root: Verifier, recovery: Verifier | None = None) -> None:
        self.origin, self.recovery = origin, recovery
        self._terms: dict[Verifier, Term] = {root: Term(0)}

    @classmethod
    def from_genesis(cls, created: LedgerCreated) -> "Keyring":
        return cls(created.origin, Verifier.parse(created.key), Verifier.parse(created.recovery_key))

    def valid_at(self, size: int) -> list[Verifier]:
        """A key that changes hands at an event may still, and may already, sign the tree that ends with it."""
        return [
            verifier
            for verifier, term in self._terms.items()
            if term.since <= size and (term.until is None or size <= term.until)
        ]

    def current(self) -> list[Verifier]:
        return [verifier for verifier, term in self._terms.items() if term.until is None]

    def terms(self) -> dict[Verifier, Term]:
        return dict(self._terms)

    def apply(self, position: int, event: Event) -> None:
        if not isinstance(event, KeysChanged):
            return
        change = self._authorised(event)
        retired = [Verifier.parse(text) for text in change.retires]
        admitted = Verifier.parse(change.admits) if change.admits is not None else None
        for verifier in retired:
            # Retired twice, a key would count again between the two.
            if verifier not in self.current():
                raise KeyUnknown(f"position {position} retires a key that is not in use: {verifier}")
        if admitted is not None and (admitted in self._terms or admitted.name != self.origin):
            # Admitted twice, a key would no longer count for what it signed the first time.
            raise KeyUnknown(f"position {position} admits a key that was used before or has another name: {admitted}")
        for verifier in retired:
            self._terms[verifier] = Term(self._terms[verifier].since, position)
        if admitted is not None:
            self._terms[admitted] = Term(position)

    def after(self, position: int, event: Event) -> "Keyring":
        """The keyring as it will be once the event is stored there; raises when the event would not be believed."""
        changed = Keyring(self.origin, next(iter(self._terms)), self.recovery)
        changed._terms = dict(self._terms)
        changed.apply(position, event)
        return changed

    def _authorised(self, event: KeysChanged) -> KeyChange:
        authorities = self.current() + ([self.recovery] if self.recovery else [])
        envelope = event.envelope.encode()
        payload = open_envelope(envelope, authorities)
        try:
            change = msgspec.json.decode(payload, type=_Statement)
        except msgspec.DecodeError as fault:
            raise BadEvent("a key change cannot be read", why=str(fault)) from None
        if change.predicateType != KEY_CHANGE or change.predicate.ledger != self.origin:
            raise KeyUnknown("a key change was signed for another ledger or purpose")
        if change.predicate.admits is not None and change.predicate.retires:
            # Who takes over has shown that it holds the private key, else a slip of the pen would end the ledger.
            open_envelope(envelope, [Verifier.parse(change.predicate.admits)])
        return change.predicate


def key_change(
    origin: str,
    authority: Signer,
    reason: str,
    *,
    admits: Signer | Verifier | None = None,
    retires: tuple[Verifier, ...] = (),
) -> str:
    """The envelope of a key change, signed by an authority and, where it is at hand, by the key that it admits."""
    admitted = admits.verifier if isinstance(admits, Signer) else admits
    predicate = KeyChange(origin, reason, str(admitted) if admitted else None, tuple(map(str, retires)))
    subject = {origin: (admitted or retires[0]).public.hex()}
    signers = (authority, admits) if isinstance(admits, Signer) else (authority,)
    return seal(statement(KEY_CHANGE, msgspec.to_builtins(predicate), subject), *signers).decode()

"""Whose signature counted when, and what nobody should believe of a key change."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.errors import BadEvent, BadSignature, ControlPlaneError, KeyUnknown
from control_plane.ledger.dsse import seal, statement
from control_plane.ledger.facts import JournalRecovered, KeysChanged, LedgerCreated
from control_plane.ledger.keyring import KEY_CHANGE, Keyring, Term, key_change
from control_plane.ledger.notes import MalformedNote, Signer

ORIGIN = "example.org/log"


def new_key(name: str = ORIGIN) -> Signer:
    return Signer(name, Ed25519PrivateKey.generate())


ROOT, RECOVERY, SECOND, THIRD, STRANGER = (new_key() for _ in range(5))


def changed(envelope: str) -> KeysChanged:
    return KeysChanged(at=1.0, envelope=envelope)


def retiring(*signers: Signer) -> tuple:
    return tuple(signer.verifier for signer in signers)


@pytest.fixture
def keyring() -> Keyring:
    created = LedgerCreated(
        at=1.0, ledger="L", origin=ORIGIN, key=str(ROOT.verifier), recovery_key=str(RECOVERY.verifier)
    )
    return Keyring.from_genesis(created)


@pytest.mark.requirement("LEDGER-39")
def test_a_key_counts_from_its_admission_to_its_end_both_included(keyring: Keyring) -> None:
    keyring.apply(10, changed(key_change(ORIGIN, ROOT, "yearly", admits=SECOND, retires=retiring(ROOT))))
    keyring.apply(20, changed(key_change(ORIGIN, SECOND, "yearly", admits=THIRD, retires=retiring(SECOND))))
    assert keyring.terms() == {
        ROOT.verifier: Term(0, 10),
        SECOND.verifier: Term(10, 20),
        THIRD.verifier: Term(20, None),
    }
    counted = {
        size: [signer.verifier for signer in (ROOT, SECOND, THIRD) if signer.verifier in keyring.valid_at(size)]
        for size in (9, 10, 11, 20, 21)
    }
    root, second, third = retiring(ROOT, SECOND, THIRD)
    assert counted == {9: [root], 10: [root, second], 11: [second], 20: [second, third], 21: [third]}
    assert keyring.current() == [third]


def test_the_recovery_key_admits_and_retires_but_signs_no_checkpoint(keyring: Keyring) -> None:
    assert RECOVERY.verifier not in keyring.valid_at(5)
    keyring.apply(5, changed(key_change(ORIGIN, RECOVERY, "lost", admits=SECOND, retires=retiring(ROOT))))
    assert keyring.current() == [SECOND.verifier]
    assert RECOVERY.verifier not in keyring.valid_at(6)


@pytest.mark.requirement("LEDGER-38", "LEDGER-43")
@pytest.mark.parametrize("authority", [STRANGER, SECOND])
def test_a_change_by_a_key_that_does_not_count_is_refused(keyring: Keyring, authority: Signer) -> None:
    """The stranger was never admitted; the second key was, and is retired."""
    keyring.apply(2, changed(key_change(ORIGIN, ROOT, "host", admits=SECOND)))
    keyring.apply(3, changed(key_change(ORIGIN, ROOT, "gone", retires=retiring(SECOND))))
    before = keyring.terms()
    for envelope in (
        key_change(ORIGIN, authority, "mine now", admits=THIRD),
        key_change(ORIGIN, authority, "mine now", retires=retiring(ROOT)),
        key_change(ORIGIN, authority, "mine now", admits=authority, retires=retiring(ROOT)),
    ):
        with pytest.raises(KeyUnknown):
            keyring.apply(4, changed(envelope))
    assert keyring.terms() == before


def test_a_key_is_retired_once(keyring: Keyring) -> None:
    """A second retirement would let it count again between the two."""
    keyring.apply(2, changed(key_change(ORIGIN, ROOT, "host", admits=SECOND)))
    keyring.apply(3, changed(key_change(ORIGIN, ROOT, "gone", retires=retiring(SECOND))))
    with pytest.raises(KeyUnknown, match="not in use"):
        keyring.apply(9, changed(key_change(ORIGIN, ROOT, "gone", retires=retiring(SECOND))))
    assert keyring.terms()[SECOND.verifier] == Term(2, 3)


def test_a_key_is_admitted_once(keyring: Keyring) -> None:
    """A second admission would take back what it signed the first time."""
    keyring.apply(2, changed(key_change(ORIGIN, ROOT, "yearly", admits=SECOND, retires=retiring(ROOT))))
    for again in (ROOT, SECOND):
        with pytest.raises(KeyUnknown, match="used before"):
            keyring.apply(3, changed(key_change(ORIGIN, SECOND, "again", admits=again)))
    assert keyring.terms()[ROOT.verifier] == Term(0, 2)


def test_a_refused_change_changes_nothing_of_it(keyring: Keyring) -> None:
    """Admission and retirement stand or fall together."""
    envelope = key_change(ORIGIN, ROOT, "half", admits=SECOND, retires=retiring(STRANGER))
    with pytest.raises(KeyUnknown):
        keyring.apply(2, changed(envelope))
    with pytest.raises(KeyUnknown):
        keyring.apply(2, changed(key_change(ORIGIN, ROOT, "half", admits=new_key("elsewhere"), retires=retiring(ROOT))))
    assert keyring.terms() == {ROOT.verifier: Term(0)}


def test_who_takes_over_must_hold_the_key(keyring: Keyring) -> None:
    with pytest.raises((KeyUnknown, BadSignature)):
        keyring.apply(2, changed(key_change(ORIGIN, ROOT, "slip", admits=SECOND.verifier, retires=retiring(ROOT))))
    keyring.apply(2, changed(key_change(ORIGIN, ROOT, "host", admits=SECOND.verifier)))
    assert keyring.current() == [ROOT.verifier, SECOND.verifier]


def test_authority_for_one_ledger_is_none_for_another(keyring: Keyring) -> None:
    with pytest.raises(KeyUnknown, match="another ledger"):
        keyring.apply(2, changed(key_change("example.org/other", ROOT, "x", admits=SECOND)))


def test_an_envelope_for_another_purpose_is_no_key_change(keyring: Keyring) -> None:
    predicate = {"ledger": ORIGIN, "reason": "x", "admits": str(SECOND.verifier), "retires": []}
    sealed = seal(statement("https://example.org/other/v1", predicate, {}), ROOT).decode()
    with pytest.raises(KeyUnknown, match="purpose"):
        keyring.apply(2, changed(sealed))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"predicateType":1}', b"\xff", b"null"])
def test_a_signed_payload_that_is_no_statement_is_a_coded_error(keyring: Keyring, payload: bytes) -> None:
    with pytest.raises(BadEvent, match="cannot be read"):
        keyring.apply(2, changed(seal(payload, ROOT).decode()))


@pytest.mark.parametrize("key", ["", "x", "a+b+c", f"{ORIGIN}+00000000+AAAA"])
def test_a_signed_change_that_names_no_key_is_a_coded_error(keyring: Keyring, key: str) -> None:
    for predicate in (
        {"ledger": ORIGIN, "reason": "x", "retires": [key]},
        {"ledger": ORIGIN, "reason": "x", "admits": key, "retires": []},
    ):
        with pytest.raises(MalformedNote):
            keyring.apply(2, changed(seal(statement(KEY_CHANGE, predicate, {}), ROOT).decode()))


def test_every_changed_byte_of_a_key_change_is_refused(keyring: Keyring) -> None:
    envelope = key_change(ORIGIN, ROOT, "yearly", admits=SECOND, retires=retiring(ROOT))
    payload = base64.b64decode(json.loads(envelope)["payload"])
    for at in range(0, len(payload), 7):
        broken = bytearray(payload)
        broken[at] ^= 1
        forged = json.loads(envelope) | {"payload": base64.b64encode(broken).decode()}
        with pytest.raises(ControlPlaneError):
            keyring.apply(2, changed(json.dumps(forged)))
    assert keyring.terms() == {ROOT.verifier: Term(0)}


def test_looking_ahead_leaves_the_keyring_as_it_is(keyring: Keyring) -> None:
    event = changed(key_change(ORIGIN, ROOT, "yearly", admits=SECOND, retires=retiring(ROOT)))
    assert keyring.after(7, event).current() == [SECOND.verifier]
    assert keyring.current() == [ROOT.verifier]
    assert keyring.after(7, event).recovery == RECOVERY.verifier


def test_other_events_of_the_ledger_change_no_key(keyring: Keyring) -> None:
    keyring.apply(2, JournalRecovered(at=1.0, writer="w", frames=1, damaged=0))
    assert keyring.terms() == {ROOT.verifier: Term(0)}

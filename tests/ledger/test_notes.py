"""Signed notes and checkpoints: the published example holds, and no changed note does."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.errors import BadSignature, ControlPlaneError, KeyUnknown
from control_plane.ledger.notes import Checkpoint, MalformedNote, Note, Signer, Verifier

# The example of the format's first implementation, golang.org/x/mod/sumdb/note.
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

SIGNER = Signer("log.example/a", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
CHECKPOINT = Checkpoint("log.example/a", 4711, b"r" * 32)
NOTE = SIGNER.note(CHECKPOINT.text())


def test_the_published_example_verifies() -> None:
    verifier = Verifier.parse(NEUMANN)
    note = Note.parse(f"{TEXT}\n{NEUMANN_LINE}")
    assert note.text == TEXT
    assert note.signed_by([verifier]) == [verifier]
    assert str(verifier) == NEUMANN


def test_signing_the_published_text_gives_the_published_note() -> None:
    seed = base64.b64decode(NEUMANN_SEED)[1:]
    signer = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(seed))
    assert str(signer.verifier) == NEUMANN
    assert signer.note(TEXT) == f"{TEXT}\n{NEUMANN_LINE}"


@pytest.mark.requirement("LEDGER-34")
def test_a_checkpoint_reads_back() -> None:
    note = Note.parse(NOTE)
    assert note.checkpoint() == CHECKPOINT
    assert note.signed_by([SIGNER.verifier]) == [SIGNER.verifier]


@pytest.mark.requirement("LEDGER-114")
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_note_verifies(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(NOTE) - 1))
    char = data.draw(st.sampled_from([*"Ab0+/= \n—\0é", ""]))
    changed = NOTE[:place] + char + NOTE[place + (0 if data.draw(st.booleans()) and char else 1) :]
    if changed == NOTE:
        return
    with pytest.raises((MalformedNote, BadSignature, KeyUnknown)):
        Note.parse(changed).signed_by([SIGNER.verifier])


@pytest.mark.requirement("LEDGER-114")
def test_a_known_key_with_a_wrong_signature_is_refused_even_beside_a_good_one() -> None:
    other = Signer("witness.example", Ed25519PrivateKey.generate())
    forged = other.signature_line("something else\n")
    with pytest.raises(BadSignature):
        Note.parse(NOTE + forged).signed_by([SIGNER.verifier, other.verifier])


def test_an_unknown_key_is_passed_over_and_never_enough() -> None:
    other = Signer("witness.example", Ed25519PrivateKey.generate())
    both = Note.parse(NOTE + other.signature_line(CHECKPOINT.text()))
    assert both.signed_by([SIGNER.verifier]) == [SIGNER.verifier]
    assert both.signed_by([SIGNER.verifier, other.verifier]) == [SIGNER.verifier, other.verifier]
    with pytest.raises(KeyUnknown):
        Note.parse(other.note(CHECKPOINT.text())).signed_by([SIGNER.verifier])
    with pytest.raises(KeyUnknown):
        both.signed_by([])


def test_who_signs_twice_is_one_signer() -> None:
    twice = Note.parse(NOTE + SIGNER.signature_line(CHECKPOINT.text()))
    assert twice.signed_by([SIGNER.verifier]) == [SIGNER.verifier]


def test_a_key_of_the_same_name_is_another_key() -> None:
    impostor = Signer(SIGNER.verifier.name, Ed25519PrivateKey.generate())
    with pytest.raises(KeyUnknown):
        Note.parse(impostor.note(CHECKPOINT.text())).signed_by([SIGNER.verifier])


MALFORMED = {
    "empty": "",
    "no signature": CHECKPOINT.text(),
    "blank line only": CHECKPOINT.text() + "\n",
    "no final newline": NOTE[:-1],
    "text behind": NOTE + "more",
    "control character": NOTE.replace("4711", "47\t11"),
    "carriage return": NOTE.replace("\n", "\r\n"),
    "half a character": NOTE.replace("4711", "\ud800"),
    "hyphen for dash": NOTE.replace("— ", "- "),
    "no name": NOTE.replace("— log.example/a ", "—  "),
    "name with a plus": NOTE.replace("— log.example/a", "— log+example/a"),
    "name with a wide space": NOTE.replace("— log.example/a", "— log\u3000example/a"),
    "two spaces": NOTE.replace("— log.example/a ", "— log.example/a  "),
    "not base64": NOTE[:-5] + "!" + NOTE[-4:],
    "base64 without padding": NOTE[:-2] + "\n" if NOTE.endswith("=\n") else NOTE[:-3] + "\n",
    "short signature": f"{CHECKPOINT.text()}\n— log.example/a AAAA\n",
    "too many signatures": NOTE + NOTE.rpartition("\n\n")[2] * 100,
    "too long": "x" * (1 << 20) + "\n\n" + NOTE.rpartition("\n\n")[2],
}


@pytest.mark.parametrize("note", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(MalformedNote):
        Note.parse(note)


BAD_SIZES = [
    "04711",
    "+4711",
    "-1",
    " 4711",
    "4711 ",
    "4_711",
    "٤٧١١",
    "4711.0",
    "",
    "4e3",
    "9" * 19,
    "9" * 5000,
    "0x10",
]
BAD_ROOTS = ["", "AAAA", base64.b64encode(b"r" * 31).decode(), base64.b64encode(b"r" * 33).decode(), "!" * 44]


@pytest.mark.parametrize("size", BAD_SIZES)
def test_a_size_has_one_spelling(size: str) -> None:
    with pytest.raises(MalformedNote):
        Note(CHECKPOINT.text().replace("4711", size), ()).checkpoint()


@pytest.mark.parametrize("root", BAD_ROOTS)
def test_a_root_has_32_bytes_in_one_spelling(root: str) -> None:
    text = f"log.example/a\n4711\n{root}\n"
    with pytest.raises(MalformedNote):
        Note(text, ()).checkpoint()
    lax = CHECKPOINT.text()[:-3] + "J=\n"
    assert base64.b64decode(lax.split("\n")[2]) == CHECKPOINT.root
    with pytest.raises(MalformedNote, match="canonical"):
        Note(lax, ()).checkpoint()


def test_extension_lines_are_signed_and_passed_over() -> None:
    note = Note.parse(SIGNER.note(CHECKPOINT.text() + "extension of somebody else\n"))
    assert note.signed_by([SIGNER.verifier])
    assert note.checkpoint() == CHECKPOINT


def test_a_checkpoint_without_an_origin_or_line_is_refused() -> None:
    for text in ("\n1\nAAAA\n", "only\n", "", "origin\n1\n"):
        with pytest.raises(MalformedNote):
            Note(text, ()).checkpoint()


BAD_KEYS = [
    "",
    "name",
    "name+c74f20a3",
    NEUMANN.replace("c74f20a3", "c74f20a4"),
    NEUMANN.replace("c74f20a3", "C74F20A3"),
    NEUMANN.replace("PeterNeumann", "Peter"),
    NEUMANN.replace("PeterNeumann", "Peter Neumann"),
    NEUMANN.replace("PeterNeumann", ""),
    NEUMANN.replace("+ARpc", "+AhpC"),
    NEUMANN[:-4],
    NEUMANN + "AAAA",
    NEUMANN[:-1] + "=",
]


@pytest.mark.parametrize("text", BAD_KEYS)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedNote):
        Verifier.parse(text)


@pytest.mark.parametrize("name", ["", "with space", "with+plus", "with\nline", "with\u2028line"])
def test_a_key_cannot_sign_under_a_name_that_no_note_can_hold(name: str) -> None:
    with pytest.raises(MalformedNote):
        Signer(name, Ed25519PrivateKey.generate())


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_note_or_a_coded_error(text: str) -> None:
    for note in (text, f"{text}\n\n— {text}\n", NOTE + text):
        try:
            assert Note.parse(note).checkpoint()
        except ControlPlaneError as fault:
            assert fault.code == "note.malformed"  # noqa: PT017 - either is fine, a traceback is not

"""C2SP signed notes and tlog-checkpoints: a tree head as text that a person can read and anyone can check."""

import base64
import binascii
import re
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import BadSignature, ControlPlaneError, KeyUnknown

ED25519 = b"\x01"
# More signatures, or more text, than any honest note has.
MOST_SIGNATURES = 100
LONGEST = 1 << 20
MOST_LEAVES = 1 << 63
_NOT_TEXT = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class MalformedNote(ControlPlaneError):
    """This is no signed note."""

    code = "note.malformed"


class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Verifier(NamedTuple):
    """A public key and the name it signs under; prints as `name+hash+base64`."""

    name: str
    public: bytes

    @property
    def hint(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hint.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        name, _, rest = text.strip().partition("+")
        hint, _, key = rest.partition("+")
        raw = _decode(key)
        if not _is_name(name) or len(raw) != 33 or raw[:1] != ED25519:
            raise MalformedNote(f"not an Ed25519 verifier key: {text[:80]!r}", cure="it reads name+hash+base64")
        verifier = cls(name, raw[1:])
        if verifier.hint.hex() != hint:
            raise MalformedNote("the verifier key's hash does not fit its name and key")
        return verifier

    def verify(self, message: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise BadSignature(f"the signature of {self.name}+{self.hint.hex()} does not hold") from None


class Signer:
    """A private key under a name."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        if not _is_name(name):
            raise MalformedNote(f"a key's name has no space and no plus sign: {name!r}")
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes_raw())
        self._hint = self.verifier.hint

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def note(self, text: str) -> str:
        """The text with a blank line and this key's signature under it."""
        return f"{text}\n{self.signature_line(text)}"

    def signature_line(self, text: str) -> str:
        signature = base64.b64encode(self._hint + self._key.sign(text.encode())).decode()
        return f"— {self.verifier.name} {signature}\n"


class Note(NamedTuple):
    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> "Note":
        if len(note) > LONGEST or _NOT_TEXT.search(note):
            raise MalformedNote("a note is short, and text without control characters")
        text, blank, tail = note.rpartition("\n\n")
        if not blank or not tail.endswith("\n") or not text:
            raise MalformedNote("a note is text, a blank line, and signatures")
        lines = tail[:-1].split("\n")
        if len(lines) > MOST_SIGNATURES:
            raise MalformedNote(f"a note has {MOST_SIGNATURES} signatures at most")
        return cls(text + "\n", tuple(map(_signature, lines)))

    def signed_by(self, verifiers: "list[Verifier]") -> list[Verifier]:
        """The known keys that signed; a wrong signature of a known key is an error, an unknown key is passed over."""
        known = {(verifier.name, verifier.hint): verifier for verifier in verifiers}
        signers: list[Verifier] = []
        for name, hint, signature in self.signatures:
            verifier = known.get((name, hint))
            if verifier is not None:
                verifier.verify(self.text.encode(), signature)
                # Who signs twice is still one signer.
                signers += [verifier] if verifier not in signers else []
        if not signers:
            raise KeyUnknown("no known key signed this note", cure="see `control-plane ledger key`")
        return signers

    def checkpoint(self) -> Checkpoint:
        lines = self.text.split("\n")
        try:
            origin, size, root = lines[:3]
            checkpoint = Checkpoint(origin, int(size), _decode(root))
        except ValueError:
            raise MalformedNote("a checkpoint has an origin, a size and a root") from None
        if (
            not origin
            or str(checkpoint.size) != size
            or not 0 <= checkpoint.size < MOST_LEAVES
            or len(checkpoint.root) != 32
        ):
            raise MalformedNote("a checkpoint has an origin, a decimal size and a 32-byte root")
        return checkpoint


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_name(parts[1]):
        raise MalformedNote("a signature line reads `— name base64`")
    raw = _decode(parts[2])
    if len(raw) < 5:
        raise MalformedNote("a signature is too short")
    return parts[1], raw[:4], raw[4:]


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNote("not base64") from None
    # Two texts must never decode to the same bytes, else a changed note could still verify.
    if base64.b64encode(raw).decode() != text:
        raise MalformedNote("not canonical base64")
    return raw

"""Ed25519 key files: made at first use, readable by their owner alone."""

import contextlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import HomeReadOnly, KeyFault, KeyMissing, KeyUnsafe
from ..replacing import sync_folder
from .notes import Signer, Verifier
from .refusals import cure_of

_PRIVATE = 0o600
_RESTORE = "restore it from a backup, or run `control-plane ledger recover-key --recovery-key FILE`"


def create_key(path: Path, name: str) -> Signer:
    """A new key on disk, durable before it is used; an existing file is never overwritten."""
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, as_pem(key))
    return Signer(name, key)


def as_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip


def load_key(path: Path, name: str) -> Signer:
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except FileNotFoundError:
        raise KeyMissing(
            f"the signing key {path} is missing",
            why="without it nothing can be appended",
            cure=_RESTORE,
        ) from None
    except PermissionError:
        raise KeyUnsafe(f"the signing key {path} cannot be read by this user") from None
    except OSError as fault:
        raise KeyMissing(f"the signing key {path} cannot be read", why=os.strerror(fault.errno or 0)) from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise KeyUnsafe(f"others can read the signing key {path}", cure=f"chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, UnsupportedAlgorithm, InternalError) as fault:
        raise KeyMissing(f"{path} is not a private key in PEM", why=str(fault), cure=_RESTORE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyMissing(f"{path} is not an Ed25519 key", cure=_RESTORE)
    return Signer(name, key)


def host_key(path: Path, next_path: Path, name: str, current: Collection[Verifier]) -> Signer:
    """The key that this host signs with; after a change that stopped before its last step, the one that waits."""
    # Twice: the file may be renamed between the two looks.
    for candidate in (path, next_path, path):
        with contextlib.suppress(KeyFault):
            signer = load_key(candidate, name)
            if signer.verifier in current:
                return signer
    return load_key(path, name)


def kept_secret(path: Path, fresh: bytes) -> bytes:
    """What the file holds, `fresh` at first use: whole or not at all; of two who make it at once the first stays."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.draft")
        write_private(draft, fresh)
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        sync_folder(path.parent)
    content = path.read_bytes()
    if not content.strip():
        raise KeyUnsafe(
            f"{path} is empty", why="a secret that everybody knows is none", cure="restore it from a backup"
        )
    return content


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, and sync it and its folder."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except PermissionError:
        raise HomeReadOnly(f"{path.parent} cannot be written") from None
    except OSError as fault:
        if isinstance(fault, FileExistsError):
            raise
        raise HomeReadOnly(f"{path.parent} cannot be written", why=str(fault), cure=cure_of(fault)) from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)

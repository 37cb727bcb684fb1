"""The key that signs a stock application's log: found by its environment, made at first use."""

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eventsourcing.utils import Environment

from ..errors import KeyMissing
from ..ledger.keys import as_pem, kept_secret, load_key
from ..ledger.notes import Signer
from ..ledger.sealing import Authority

SIGNING_KEY = "SIGNING_KEY"
SIGNING_ORIGIN = "SIGNING_ORIGIN"
# Logs that live in memory end with their process, and so do their keys.
_EPHEMERAL = Ed25519PrivateKey.generate()


def key_file(env: Environment, default: Path | None) -> Path:
    named = env.get(SIGNING_KEY)
    if named:
        return Path(named).expanduser()
    if default is None:
        raise KeyMissing(
            "no signing key is named",
            why="the database is not on this host, so there is no place beside it",
            cure=f"set {SIGNING_KEY} to a file, or CONTROL_PLANE_STATE to a folder",
        )
    return default


def file_authority(env: Environment, path: Path, log: str, *, begun: bool) -> Authority:
    """The authority over one log; a key is made only where nothing has been signed yet."""
    if not path.exists() and not begun:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept_secret(path, as_pem(Ed25519PrivateKey.generate()))
    key = load_key(path, "unnamed")
    return Authority(load_key(path, _origin(env, key, log)))


def ephemeral_authority(env: Environment, log: str) -> Authority:
    unnamed = Signer("unnamed", _EPHEMERAL)
    return Authority(Signer(_origin(env, unnamed, log), _EPHEMERAL))


def _origin(env: Environment, key: Signer, log: str) -> str:
    """A name of its own for each key and table, so that no checkpoint can stand for another log."""
    fingerprint = sha256(key.verifier.public).hexdigest()[:16]
    return env.get(SIGNING_ORIGIN) or f"control-plane.dev/application/{fingerprint}/{log}"

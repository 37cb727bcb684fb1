"""The highest checkpoint, kept outside the database: an old copy put back is older than what the witness saw."""

import os
from pathlib import Path

import msgspec

from ..errors import ControlPlaneError, HomeUnusable, LedgerDamaged, ProofError, Rollback
from .notes import Note, Verifier
from .proofs import TileTree, check_consistency


class Sighting(msgspec.Struct, frozen=True):
    """What the witness remembers of one ledger: its first key and its highest checkpoint."""

    root_key: str
    note: str


def witness_folder(environment: "os._Environ[str] | dict[str, str]" = os.environ) -> Path:
    named = environment.get("CONTROL_PLANE_WITNESS")
    if named:
        return Path(named)
    state = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "control-plane" / "witness"


class Witness:
    def __init__(self, folder: Path, ledger: str) -> None:
        self.path = folder / f"{ledger}.json"
        self._seen = ""
        self.fault = ""

    def read(self) -> Sighting | None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise HomeUnusable(f"the witness {self.path} cannot be read", why=os.strerror(fault.errno or 0)) from None
        try:
            return msgspec.json.decode(content, type=Sighting)
        except msgspec.DecodeError as fault:
            raise LedgerDamaged(
                f"the witness {self.path} is damaged",
                why=str(fault),
                cure="compare the ledger with a copy that you trust, then `control-plane ledger witness --reset`",
            ) from None

    def write(self, root_key: Verifier, note: str) -> None:
        """Remember a higher checkpoint; a witness that cannot be written is reported, not fatal."""
        if note == self._seen:
            return
        draft = self.path.with_suffix(f".{os.getpid()}.draft")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_bytes(msgspec.json.encode(Sighting(str(root_key), note)))
            draft.replace(self.path)
            self._seen, self.fault = note, ""
        except OSError as fault:
            self.fault = f"{self.path}: {os.strerror(fault.errno or 0)}"


def check_witness(sighting: Sighting, root_key: Verifier, size: int, tree: TileTree) -> None:
    """Demand a proof that the ledger still contains what the witness saw."""
    if sighting.root_key != str(root_key):
        raise Rollback("this ledger began under another key than the one that the witness knows")
    seen = Note.parse(sighting.note).checkpoint()
    if seen.size > size:
        raise Rollback(
            f"the ledger ends at position {size:,}, but it had {seen.size:,} events",
            why="an older copy was put back, or its end was cut off",
            cure="restore the newest copy; if the loss is accepted, `control-plane ledger witness --reset`",
        )
    try:
        check_consistency(seen.size, seen.root, size, tree.root(size), tree.consistency(seen.size, size))
    except ControlPlaneError as fault:
        if not isinstance(fault, ProofError):
            raise
        raise Rollback(
            f"the first {seen.size:,} events are not those that the witness saw",
            why=str(fault),
            cure="run `control-plane ledger verify`",
        ) from None

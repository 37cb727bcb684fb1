"""The highest checkpoint, kept outside the database: an old copy put back is older than what the witness saw."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import ControlPlaneError, HomeUnusable, LedgerDamaged, ProofError, Rollback
from ..replacing import replace
from .flock import lock
from .notes import Checkpoint, Note, Verifier
from .proofs import TileTree, check_consistency


class Sighting(msgspec.Struct, frozen=True):
    """What the witness remembers of one ledger: its first key and its highest checkpoint."""

    root_key: str
    note: str

    def checkpoint(self) -> Checkpoint:
        return Note.parse(self.note).checkpoint()


# Raises Rollback unless the log as it is now contains what was seen.
Contains = Callable[[Sighting], None]


def witness_folder(environment: "os._Environ[str] | dict[str, str]" = os.environ) -> Path:
    named = environment.get("CONTROL_PLANE_WITNESS")
    if named:
        return Path(named).expanduser()
    state = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "control-plane" / "witness"


class Witness:
    def __init__(self, folder: Path, ledger: str) -> None:
        self.path = folder / f"{ledger}.json"
        self._seen = ""
        self.fault = ""
        self.refused: Rollback | None = None

    def read(self) -> Sighting | None:
        """The last sighting, None before the first; it parses, or the witness is damaged."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise HomeUnusable(f"the witness {self.path} cannot be read", why=os.strerror(fault.errno or 0)) from None
        try:
            sighting = msgspec.json.decode(content, type=Sighting)
            sighting.checkpoint()
            Verifier.parse(sighting.root_key)
        except (msgspec.DecodeError, ControlPlaneError) as fault:
            raise LedgerDamaged(
                f"the witness {self.path} is damaged",
                why=str(fault),
                cure="compare the ledger with a copy that you trust, then `control-plane ledger witness --reset --yes`",
            ) from None
        return sighting

    def write(self, root_key: Verifier, note: str, contains: Contains) -> None:
        """Remember a higher checkpoint of the log that contains the one before, else raise Rollback.

        A witness that cannot be written is reported, not fatal.
        """
        if note == self._seen:
            return
        try:
            with self._alone():
                self._seen = self._raised(Sighting(str(root_key), note), contains)
            self.fault, self.refused = "", None
        except Rollback as fault:
            self.fault, self.refused = str(fault), fault
            raise
        except OSError as fault:
            self.fault = f"{self.path}: {os.strerror(fault.errno or 0)}"
        except ControlPlaneError as fault:
            self.fault = str(fault)

    def reset(self, root_key: Verifier, note: str) -> None:
        """Forget what was seen and begin again at this checkpoint, lower or not."""
        try:
            with self._alone():
                self._replace(Sighting(str(root_key), note))
        except OSError as fault:
            raise HomeUnusable(
                f"the witness {self.path} cannot be written", why=os.strerror(fault.errno or 0)
            ) from None

    def _raised(self, sighting: Sighting, contains: Contains) -> str:
        """The note that the witness has now: what it saw it never takes back by itself, nor for another history.

        Another process may have seen more by now, or a fork of this log. Only our own last note needs no proof.
        """
        before = self.read()
        if before is None:
            self._replace(sighting)
            return sighting.note
        rises = before.checkpoint().size < sighting.checkpoint().size
        if not rises or before.note != self._seen or before.root_key != sighting.root_key:
            contains(before)
        if rises:
            self._replace(sighting)
        return sighting.note if rises else before.note

    def _replace(self, sighting: Sighting) -> None:
        # Else a power cut may leave the name without the content: a witness that is damaged for no reason.
        replace(self.path, msgspec.json.encode(sighting), durable=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock(handle)
            yield
        finally:
            os.close(handle)


def check_witness(sighting: Sighting, root_key: Verifier, size: int, tree: TileTree) -> None:
    """Demand a proof that the ledger still contains what the witness saw."""
    if sighting.root_key != str(root_key):
        raise Rollback(
            "this ledger began under another key than the one that the witness knows",
            cure="restore the right copy; if this one is right, `control-plane ledger witness --reset --yes`",
        )
    seen = sighting.checkpoint()
    if seen.size > size:
        raise Rollback(
            f"the ledger ends at position {size:,}, but it had {seen.size:,} events",
            why="an older copy was put back, or its end was cut off",
            cure="restore the newest copy; if the loss is accepted, `control-plane ledger witness --reset --yes`",
        )
    try:
        check_consistency(seen.size, seen.root, size, tree.root(size), tree.consistency(seen.size, size))
    except ProofError as fault:
        raise Rollback(
            f"the first {seen.size:,} events are not those that the witness saw",
            why=str(fault),
            cure="run `control-plane ledger verify`",
        ) from None

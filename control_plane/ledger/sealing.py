"""One commit, one checkpoint: the tree grows and is signed inside the transaction that stores its leaves."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from ..errors import KeyMissing, KeyRetired, KeyUnknown, LedgerDamaged
from .keyring import Keyring
from .leaf import leaf_stream, leaf_topic
from .merkle import Frontier, Tile, edge_tiles, frontier_from_edges
from .notes import Checkpoint, MalformedNote, Note, Signer

# One signature is kept for each so many leaves; more would only slow an audit down.
KEPT_EVERY = 4096


class TreeStore(Protocol):
    """What a database must offer inside its own transaction."""

    def last_note(self) -> str | None: ...
    def tile(self, level: int, index: int) -> bytes: ...
    def keys_changed(self) -> int:
        """The position of the last `ledger.keys-changed`, 0 when there was none."""

    def put(self, tiles: list[Tile], size: int, note: str) -> None: ...


class Head(NamedTuple):
    note: str
    frontier: Frontier


class Authority:
    """Who may sign this ledger, and the key that this process signs with."""

    def __init__(
        self,
        signer: Signer | None,
        keyring: Keyring | None = None,
        reload: "Callable[[], Authority] | None" = None,
    ) -> None:
        if keyring is None:
            assert signer is not None, "who has no key needs a keyring"
            keyring = Keyring(signer.verifier.name, signer.verifier)
        self._signer, self.keyring, self._reload = signer, keyring, reload
        self.origin = keyring.origin

    @property
    def signer(self) -> Signer:
        """The key that signs; who only reads has none until something is to be written after all."""
        if self._signer is None:
            raise KeyMissing("this ledger was opened for reading")
        return self._signer

    def check(self) -> None:
        """A key that was retired, or never admitted, signs nothing."""
        verifier = self.signer.verifier
        term = self.keyring.terms().get(verifier)
        if term is None:
            raise KeyUnknown(
                "this host's key may not sign this ledger",
                why="it was never admitted",
                cure="restore the key, or `control-plane ledger recover-key --recovery-key FILE`; "
                "`ledger key --own` prints this key, and where hosts share the log one that may sign lets it in: "
                f"`control-plane ledger key admit {verifier}`",
            )
        if term.until is not None:
            alone = "" if self.keyring.current() else ", and no key is in use: only the recovery key can admit one"
            raise KeyRetired(
                "this host's key signs nothing more",
                why=f"it was retired at position {term.until:,}{alone}",
                cure="restore the newest key, or run `control-plane ledger recover-key --recovery-key FILE`",
            )

    def refreshed(self) -> "Authority":
        """The authority as the store has it now: another process may have changed keys."""
        return self._reload() if self._reload else self


class Sealer:
    """Keeps the last head, which is trusted only while the store still shows the same note."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self._head: Head | None = None
        self._keys_as_of: int | None = None

    def head(self, store: TreeStore) -> Head:
        """The head to build on, checked when it is not the one that this process left."""
        changed = store.keys_changed()
        if changed != self._keys_as_of:
            # Asked inside each transaction: not one checkpoint may bear a key that was retired before it.
            self.authority, self._head = self.authority.refreshed(), None
            self.authority.check()
            self._keys_as_of = changed
        note = store.last_note()
        if self._head is None or note != self._head.note:
            self._head = self._load(store, note)
        return self._head

    def seal(self, store: TreeStore, head: Head, leaf_hashes: Sequence[bytes]) -> None:
        frontier, tiles = head.frontier.extend(leaf_hashes)
        note = self.authority.signer.note(Checkpoint(self.authority.origin, frontier.size, frontier.root()).text())
        store.put(tiles, frontier.size, note)
        # A rollback after this line is harmless: the store will not show this note.
        self._head = Head(note, frontier)

    def _load(self, store: TreeStore, text: str | None) -> Head:
        if text is None:
            return Head("", Frontier())
        note = Note.parse(text)
        checkpoint = note.checkpoint()
        self._check_signer(note, checkpoint)
        edges = [
            Tile(level, index, store.tile(level, index)[: width * 32])
            for level, index, width in edge_tiles(checkpoint.size)
        ]
        frontier = frontier_from_edges(checkpoint.size, edges)
        if frontier.root() != checkpoint.root:
            raise LedgerDamaged(
                "the stored tree does not lead to its signed checkpoint", cure="run `control-plane ledger verify`"
            )
        return Head(text, frontier)

    def _check_signer(self, note: Note, checkpoint: Checkpoint) -> None:
        note.signed_by(self.authority.keyring.valid_at(checkpoint.size))
        if checkpoint.origin != self.authority.origin:
            raise MalformedNote(f"the checkpoint is of {checkpoint.origin}, not of {self.authority.origin}")


def run_hashes(stream: str, first_version: int, topics: Sequence[str], states: Sequence[bytes]) -> list[bytes]:
    """Leaf hashes of consecutive versions of one stream."""
    return tail_hashes(stream, first_version, leaf_tails(topics, states))


def leaf_tails(topics: Sequence[str], states: Sequence[bytes]) -> list[bytes]:
    """What follows the version in each leaf: topic and state; what repeats is built once."""
    named = {topic: leaf_topic(topic) for topic in set(topics)}
    return [named[topic] + state for topic, state in zip(topics, states, strict=True)]


def tail_hashes(stream: str, first_version: int, tails: Sequence[bytes]) -> list[bytes]:
    start = b"\x00" + leaf_stream(stream)
    return [sha256(start + version.to_bytes(8) + tail).digest() for version, tail in enumerate(tails, first_version)]

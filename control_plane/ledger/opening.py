"""From a folder to an open ledger: made at first use, checked against its witness, dead writers' journals committed."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from eventsourcing.persistence import IntegrityError, PersistenceError

from .. import extras
from ..clock import Clock, new_id
from ..errors import ForeignHome, KeyUnknown, LedgerDamaged, MissingExtra, Rollback
from ..unlisted import unlist
from .backend import Backend, Row
from .events import Catalogue
from .facts import STREAM, JournalRecovered, KeysChanged, LedgerCreated
from .home import FORMAT, Home, Identity, home_of
from .keyring import Keyring
from .keys import host_key
from .notes import Note, Signer
from .proofs import TileTree
from .recovery import Recovered, recover_journals
from .refusals import refusal, with_log
from .sealing import Authority, TreeStore
from .sqlite_backend import SQLiteBackend
from .witness import Sighting, Witness, check_witness


class Opened:
    """A home with its database, keys and witness, before anybody writes; without `signing` it is only read."""

    def __init__(self, home: Home, catalogue: Catalogue, clock: Clock, *, signing: bool = True) -> None:
        self.home, self.catalogue, self.clock, self._signing = home, catalogue, clock, signing
        self.identity = home.identity()
        self.witness = Witness(home.witness, self.identity.ledger)
        root = Keyring(self.identity.origin, self.identity.root)
        with _in_our_words(f"{home.root} cannot be opened", home), contextlib.ExitStack() as undo:
            self.backend: Backend = connect(home, Authority(None, root, self.authority))
            undo.callback(self.backend.close)
            if signing:
                self.backend.use(self.authority())
            undo.pop_all()

    def authority(self) -> Authority:
        """The keyring as the log has it, and this host's key in it."""
        keyring = self.keyring()
        signer = host_key(self.home.key, self.home.next_key, self.identity.origin, keyring.current())
        return Authority(signer, keyring, self.authority)

    def keyring(self) -> Keyring:
        rows = self.backend.own_rows()
        first = _genesis(rows, self.catalogue)
        if first is not None and first.ledger != self.identity.ledger:
            raise ForeignHome(
                f"{self.home.root} belongs to ledger {self.identity.ledger}, the database holds {first.ledger}",
                cure="name the home, or the state folder, that belongs to this database",
            )
        if first is None or first.key != self.identity.root_key:
            raise LedgerDamaged("the log does not begin as this home does", cure="run `control-plane ledger verify`")
        keyring = Keyring.from_genesis(first)
        for row in rows[1:]:
            if row.topic == KeysChanged.TOPIC:
                keyring.apply(row.position, self.catalogue.decode(row.topic, row.state))
        return keyring

    def check(self) -> None:
        """The head is signed by a key of this ledger and continues what the witness saw; we may sign the next one."""
        if self._signing:
            self.authority().check()
        with self.backend.tree() as store:
            text = store.last_note()
            if text is None:
                raise Rollback("the log is empty", cure="restore the newest copy")
            note = Note.parse(text)
            head = note.checkpoint()
            note.signed_by(self.keyring().valid_at(head.size))
            sighting = self.witness.read()
            if sighting is not None:
                self._contains(sighting, head.size, store)

    def check_in_use(self) -> None:
        """Between two commits: it can be read, it lies at its place, and the witness saw no other history."""
        self.backend.check_place()
        self.backend.size()
        if self.witness.refused is not None:
            raise self.witness.refused.with_traceback(None)

    def recover(self) -> int:
        """Commit what dead writers left; the number of events that came back."""
        with _in_our_words("what dead writers left cannot be committed yet", self.home), self.home.locked():
            found = recover_journals(self.home.journal, self.home.damaged, self.backend, self._report)
        return sum(frames for _, frames, _ in found)

    def _report(self, found: Recovered) -> None:
        recovered = JournalRecovered(at=self.clock.now(), **found._asdict())
        state = self.catalogue.encode(recovered)
        while True:
            version = self.backend.stored_upto(STREAM) + 1
            try:
                self.backend.insert(STREAM, version, [recovered.TOPIC], [state])
                return
            except IntegrityError:
                continue  # another process wrote to this stream between our look and our turn

    def sight(self) -> None:
        """Let the witness see the head; raises Rollback when it has seen a history that is not ours."""
        with self.backend.tree() as store:
            note = store.last_note()
        if note is not None:
            self.witness.write(self.identity.root, note, self._still_contains)

    def _still_contains(self, sighting: Sighting) -> None:
        # The log as it is now: what another process showed the witness a moment ago is in it by then.
        with self.backend.tree() as store:
            note = store.last_note()
            self._contains(sighting, Note.parse(note).checkpoint().size if note else 0, store)

    def _contains(self, sighting: Sighting, size: int, store: TreeStore) -> None:
        check_witness(sighting, self.identity.root, size, TileTree(size, store.tile))

    def root_at(self, position: int) -> bytes:
        """The root of the tree as it was when the log ended at this position."""
        with self.backend.tree() as store:
            note = store.last_note()
            size = Note.parse(note).checkpoint().size if note else 0
            return TileTree(size, store.tile).root(position)

    def another(self) -> "Opened":
        """The same home once more, with connections and a sealer of its own."""
        return Opened(self.home, self.catalogue, self.clock, signing=False)

    def close(self) -> None:
        self.backend.close()


def open_home(
    named: str | os.PathLike[str] | None,
    state_dir: str | os.PathLike[str] | None,
    catalogue: Catalogue,
    clock: Clock,
    *,
    signing: bool = True,
) -> Opened:
    """The home that was named, a folder or `postgresql://…`, made if nobody made it before."""
    home = home_of(named, state_dir)
    if not home.exists():
        create_home(home, catalogue, clock)
    unlist(home.root)
    return Opened(home, catalogue, clock, signing=signing)


def create_home(home: Home, catalogue: Catalogue, clock: Clock) -> Identity:
    """Begin the ledger, or join the one that another host began in the same database."""

    def begin(home: Home, draft: Identity, signer: Signer, recovery: Signer) -> Identity:
        with contextlib.closing(connect(home, Authority(signer), create=True)) as backend:
            if backend.size() == 0:
                created = LedgerCreated(
                    at=clock.now(),
                    ledger=draft.ledger,
                    origin=draft.origin,
                    key=draft.root_key,
                    recovery_key=str(recovery.verifier),
                )
                # Another host may be faster; then the log says so.
                with contextlib.suppress(IntegrityError, KeyUnknown):
                    backend.insert(STREAM, 1, [created.TOPIC], [catalogue.encode(created)])
            first = _genesis(backend.own_rows(), catalogue)
        if first is None:
            raise ForeignHome(f"{home.root} would stand on a log that no control plane began", cure="name another home")
        return Identity(FORMAT, first.ledger, first.key)

    with _in_our_words(f"{home.root} cannot be made", home):
        made = home.create(new_id(clock.now()), begin)
        unlist(home.root)
        return made


def connect(home: Home, authority: Authority, *, create: bool = False) -> Backend:
    """The database of a home."""
    if home.address is None:
        return SQLiteBackend(home.database, authority, create=create)
    try:
        from .postgres_backend import PostgresBackend  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as fault:
        cure = extras.install("postgres")
        raise MissingExtra("PostgreSQL needs an optional package", why=str(fault), cure=cure) from None
    return PostgresBackend(home.address, authority, create=create)


def _genesis(rows: list[Row], catalogue: Catalogue) -> LedgerCreated | None:
    """The event with which a ledger begins, when the log begins with one."""
    if not rows or rows[0].position != 1 or rows[0].topic != LedgerCreated.TOPIC:
        return None
    first = catalogue.decode(rows[0].topic, rows[0].state)
    return first if isinstance(first, LedgerCreated) else None


@contextlib.contextmanager
def _in_our_words(what: str, home: Home) -> Iterator[None]:
    try:
        yield
    except (PersistenceError, sqlite3.Error, OSError) as fault:
        raise refusal(what, fault, *(with_log(home.database) if home.address is None else ())) from fault

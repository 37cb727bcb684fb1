"""From a folder to an open ledger: made at first use, checked against its witness, dead writers' journals committed."""

from eventsourcing.persistence import PersistenceError

from ..clock import Clock, new_id
from ..errors import LedgerDamaged, LedgerUnavailable, Rollback
from .backend import Backend
from .events import Catalogue
from .facts import STREAM, JournalRecovered, KeysChanged, LedgerCreated
from .home import Home, Identity
from .keyring import Keyring
from .keys import host_key
from .notes import Note, Signer
from .proofs import TileTree
from .recovery import recover_journals
from .sealing import Authority
from .sqlite_backend import SQLiteBackend
from .witness import Witness, check_witness, witness_folder


class Opened:
    """A home with its database, keys and witness, before anybody writes."""

    def __init__(self, home: Home, catalogue: Catalogue, clock: Clock, *, signing: bool = True) -> None:
        self.home, self.catalogue, self.clock = home, catalogue, clock
        self.identity = home.identity()
        self.witness = Witness(witness_folder(), self.identity.ledger)
        root = Keyring(self.identity.origin, self.identity.root)
        self.backend: Backend = SQLiteBackend(home.database, Authority(None, root, self.authority))
        if signing:
            self.backend.use(self.authority())

    def authority(self) -> Authority:
        """The keyring as the log has it, and this host's key in it."""
        keyring = self.keyring()
        signer = host_key(self.home.key, self.home.next_key, self.identity.origin, keyring.current())
        return Authority(signer, keyring, self.authority)

    def keyring(self) -> Keyring:
        rows = self.backend.own_rows()
        first = self.catalogue.decode(rows[0].topic, rows[0].state) if rows else None
        if not isinstance(first, LedgerCreated) or rows[0].position != 1 or first.key != self.identity.root_key:
            raise LedgerDamaged("the log does not begin as this home does", cure="run `control-plane ledger verify`")
        keyring = Keyring.from_genesis(first)
        for row in rows[1:]:
            if row.topic == KeysChanged.TOPIC:
                keyring.apply(row.position, self.catalogue.decode(row.topic, row.state))
        return keyring

    def check(self) -> None:
        """The head is signed by a key of this ledger and continues what the witness saw."""
        with self.backend.tree() as store:
            text = store.last_note()
            if text is None:
                raise Rollback("the log is empty", cure="restore the newest copy")
            note = Note.parse(text)
            head = note.checkpoint()
            note.signed_by(self.keyring().valid_at(head.size))
            sighting = self.witness.read()
            if sighting is not None:
                check_witness(sighting, self.identity.root, head.size, TileTree(head.size, store.tile))

    def recover(self) -> int:
        """Commit what dead writers left; the number of events that came back."""
        with self.home.locked():
            found = recover_journals(self.home.journal, self.home.damaged, self.backend)
        for writer, frames, damaged in found:
            if frames or damaged:
                report = JournalRecovered(at=self.clock.now(), writer=writer, frames=frames, damaged=damaged)
                version = self.backend.stored_upto(STREAM) + 1
                self.backend.insert(STREAM, version, [report.TOPIC], [self.catalogue.encode(report)])
        return sum(frames for _, frames, _ in found)

    def sight(self) -> None:
        """Let the witness see the head."""
        with self.backend.tree() as store:
            note = store.last_note()
        if note is not None:
            self.witness.write(self.identity.root, note)

    def another(self) -> "Opened":
        """The same home once more, with connections and a sealer of its own."""
        return Opened(self.home, self.catalogue, self.clock, signing=False)

    def close(self) -> None:
        self.backend.close()


def create_home(home: Home, catalogue: Catalogue, clock: Clock) -> Identity:
    def begin(home: Home, identity: Identity, signer: Signer, recovery: Signer) -> None:
        backend = SQLiteBackend(home.database, Authority(signer), create=True)
        try:
            if backend.size() == 0:
                created = LedgerCreated(
                    at=clock.now(),
                    ledger=identity.ledger,
                    origin=identity.origin,
                    key=identity.root_key,
                    recovery_key=str(recovery.verifier),
                )
                backend.insert(STREAM, 1, [created.TOPIC], [catalogue.encode(created)])
        finally:
            backend.close()

    try:
        return home.create(new_id(clock.now()), begin)
    except PersistenceError as fault:
        raise LedgerUnavailable(f"{home.root} cannot be made", why=str(fault)) from fault

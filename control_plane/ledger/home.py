"""The folder where one ledger lives: what lies where, how it is made once, and who may enter."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from ..errors import ANOTHER_HOME, ForeignHome, HomeReadOnly, HomeUnusable, NewerHome
from ..replacing import replace
from .flock import lock
from .keys import create_key, load_key
from .notes import MalformedNote, Signer, Verifier
from .postgres_address import PostgresAddress, is_postgres
from .refusals import cure_of
from .witness import witness_folder

FORMAT = 1
# One step for each format that an older program may have left behind; a step may run twice, so it must not mind.
UPGRADES: "dict[int, Callable[[Home], None]]" = {}


class Identity(msgspec.Struct, frozen=True):
    """`home.json`: which ledger this is, and the key under which it began."""

    format: int
    # It becomes part of file names, the witness's among them.
    ledger: Annotated[str, msgspec.Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$")]
    root_key: str

    @property
    def origin(self) -> str:
        return f"control-plane.dev/ledger/{self.ledger.lower()}"

    @property
    def root(self) -> Verifier:
        return Verifier.parse(self.root_key)


# How a ledger begins: what is in the database afterwards, which another host may have begun first.
Begin = Callable[["Home", Identity, Signer, Signer], Identity]


class Home:
    """One folder; with `address` the log itself is in PostgreSQL and the folder is this host's state beside it."""

    def __init__(self, root: Path, address: PostgresAddress | None = None) -> None:
        self.root, self.address = root, address
        self.database = root / "ledger.db"
        self.views = root / "views.db"
        self.memory = root / "memory.db"
        self.snapshots = root / "snapshots"
        self.journal = root / "journal"
        self.damaged = root / "journal-damaged"
        self.archive = root / "archive"
        self.deciding = root / "deciding"
        self.key = root / "keys" / "ledger.key"
        self.next_key = root / "keys" / "ledger.key.next"
        self.recovery_key = root / "keys" / "recovery.key"
        self.token = root / "token"
        self._identity = root / "home.json"
        self._draft = root / "home.json.draft"

    @property
    def witness(self) -> Path:
        """Where the witness of this ledger is: outside the database, so in the state folder when there is one."""
        named = os.environ.get("CONTROL_PLANE_WITNESS")
        return witness_folder() if named or self.address is None else self.root / "witness"

    def identity(self) -> Identity:
        """Who lives here; raises when nobody does, somebody else does, or a newer program has moved in."""
        identity = self._read_identity()
        return identity if identity.format == FORMAT else self._upgraded()

    def exists(self) -> bool:
        try:
            return self._identity.exists()
        except (OSError, ValueError) as fault:
            raise _unreadable(self.root, fault) from None

    def create(self, ledger: str, begin: Begin) -> Identity:
        """Make the home once; of several processes that try, one makes it and the others find it made.

        `home.json` is written last: a creation that was interrupted is taken up again where it stopped.
        """
        with self.locked():
            if self.exists():
                return self.identity()
            draft = _decode(self._draft) or self._drafted(ledger)
            signer, recovery = (load_key(path, draft.origin) for path in (self.key, self.recovery_key))
            identity = begin(self, draft, signer, recovery)
            self._write(self._identity, identity)
            if identity != draft:
                # Another host began this ledger: our recovery key has no power over it.
                self.recovery_key.unlink(missing_ok=True)
            self._draft.unlink(missing_ok=True)
            return identity

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for work that only one process at a time may do."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, ValueError):
            raise HomeUnusable(f"{self.root} is not a folder", cure=ANOTHER_HOME) from None
        except OSError as fault:
            why, cure = os.strerror(fault.errno or 0), cure_of(fault) or ANOTHER_HOME
            raise HomeReadOnly(f"{self.root} cannot be written", why=why, cure=cure) from None
        try:
            lock(handle)
            yield
        finally:
            os.close(handle)

    def _read_identity(self) -> Identity:
        try:
            if self.root.exists() and not self.root.is_dir():
                raise HomeUnusable(f"{self.root} is not a folder", cure=ANOTHER_HOME)
            identity = _decode(self._identity)
        except (OSError, ValueError) as fault:
            raise _unreadable(self.root, fault) from None
        if identity is None:
            raise self._nobody()
        return identity

    def _nobody(self) -> ForeignHome | HomeUnusable:
        if self.database.exists() and not self._draft.exists():
            return self._without_identity()
        return HomeUnusable(f"there is no control plane in {self.root}", cure="make one with `control-plane init`")

    def _without_identity(self) -> ForeignHome:
        if self.key.exists():
            return ForeignHome(f"{self._identity} is missing", cure="restore it from a backup")
        return ForeignHome(f"{self.database} was not made by a control plane", cure=ANOTHER_HOME)

    def _drafted(self, ledger: str) -> Identity:
        if self.database.exists():
            raise self._without_identity()
        origin = Identity(FORMAT, ledger, "").origin
        for stale in (self.key, self.recovery_key):
            stale.unlink(missing_ok=True)
        signer, _ = (create_key(path, origin) for path in (self.key, self.recovery_key))
        draft = Identity(FORMAT, ledger, str(signer.verifier))
        self._write(self._draft, draft)
        return draft

    def _write(self, path: Path, identity: Identity) -> None:
        """The whole file or none of it, durable before anything builds on it; only under the home's lock."""
        try:
            replace(path, msgspec.json.encode(identity), mode=0o600, durable=True)
        except OSError as fault:
            why = os.strerror(fault.errno or 0)
            raise HomeReadOnly(f"{self.root} cannot be written", why=why, cure=cure_of(fault)) from None

    def _upgraded(self) -> Identity:
        with self.locked():
            # Another process may have done it while we waited.
            identity = self._read_identity()
            for step in range(identity.format, FORMAT):
                if step not in UPGRADES:
                    raise ForeignHome(f"{self.root} has format {step}, which no control plane ever wrote")
                UPGRADES[step](self)
                identity = msgspec.structs.replace(identity, format=step + 1)
                self._write(self._identity, identity)
            return identity


def _decode(path: Path) -> Identity | None:
    try:
        identity = msgspec.json.decode(path.read_bytes(), type=Identity)
        Verifier.parse(identity.root_key)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, MalformedNote) as fault:
        raise ForeignHome(f"{path} cannot be read", why=str(fault)) from None
    if identity.format > FORMAT:
        raise NewerHome(
            f"{path.parent} has format {identity.format}, this program knows {FORMAT}",
            cure="use the version that wrote it, or a newer one",
        )
    return identity


def home_of(named: str | os.PathLike[str] | None, state_dir: str | os.PathLike[str] | None = None) -> Home:
    """The home that was named, a folder or `postgresql://…`, else that of the environment, else the project's own."""
    named = named or os.environ.get("CONTROL_PLANE_HOME")
    if isinstance(named, str) and is_postgres(named):
        address = PostgresAddress.parse(named)
        return Home(Path(state_dir).expanduser() if state_dir else address.state_folder(), address)
    return Home(home_path(named))


def home_path(named: str | os.PathLike[str] | None) -> Path:
    """The folder that was named, else the one of the environment, else the project's own."""
    return Path(named or os.environ.get("CONTROL_PLANE_HOME") or Path(".opencode") / "control-plane").expanduser()


def _unreadable(root: Path, fault: Exception) -> HomeUnusable:
    why = os.strerror(fault.errno or 0) if isinstance(fault, OSError) else str(fault)
    return HomeUnusable(f"{str(root)!r} cannot be read", why=why, cure=ANOTHER_HOME)

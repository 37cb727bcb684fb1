"""The folder where one ledger lives: what lies where, how it is made once, and who may enter."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import ForeignHome, HomeReadOnly, HomeUnusable, NewerHome
from .keys import create_key, load_key, write_private
from .notes import Signer, Verifier

FORMAT = 1
# One step for each format that an older program may have left behind.
UPGRADES: "dict[int, Callable[[Home], None]]" = {}


class Identity(msgspec.Struct, frozen=True):
    """`home.json`: which ledger this is, and the key under which it began."""

    format: int
    ledger: str
    root_key: str

    @property
    def origin(self) -> str:
        return f"control-plane.dev/ledger/{self.ledger.lower()}"

    @property
    def root(self) -> Verifier:
        return Verifier.parse(self.root_key)


class Home:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "ledger.db"
        self.views = root / "views.db"
        self.snapshots = root / "snapshots"
        self.journal = root / "journal"
        self.damaged = root / "journal-damaged"
        self.archive = root / "archive"
        self.key = root / "keys" / "ledger.key"
        self.next_key = root / "keys" / "ledger.key.next"
        self.recovery_key = root / "keys" / "recovery.key"
        self.token = root / "token"
        self._identity = root / "home.json"

    def identity(self) -> Identity:
        """Who lives here; raises when nobody does, somebody else does, or a newer program has moved in."""
        if self.root.exists() and not self.root.is_dir():
            raise HomeUnusable(f"{self.root} is not a folder", cure="name a folder with --home")
        try:
            identity = msgspec.json.decode(self._identity.read_bytes(), type=Identity)
        except FileNotFoundError:
            if self.database.exists():
                raise ForeignHome(f"{self.root} holds a database that no control plane made") from None
            raise HomeUnusable(
                f"there is no control plane in {self.root}", cure="make one with `control-plane init`"
            ) from None
        except msgspec.DecodeError as fault:
            raise ForeignHome(f"{self._identity} cannot be read", why=str(fault)) from None
        except OSError as fault:
            raise HomeUnusable(f"{self.root} cannot be read", why=os.strerror(fault.errno or 0)) from None
        if identity.format > FORMAT:
            raise NewerHome(
                f"{self.root} has format {identity.format}, this program knows {FORMAT}",
                cure="use the version that wrote it, or a newer one",
            )
        return self._upgraded(identity)

    def exists(self) -> bool:
        return self._identity.exists()

    def create(self, ledger: str, begin: "Callable[[Home, Identity, Signer, Signer], None]") -> Identity:
        """Make the home once; of several processes that try, one makes it and the others find it made.

        `home.json` is written last: a creation that was interrupted is taken up again where it stopped.
        """
        with self.locked():
            if self.exists():
                return self.identity()
            if self.database.exists() and not self.key.exists():
                raise ForeignHome(f"{self.database} was not made by a control plane", cure="name another --home")
            draft = self.root / "home.json.draft"
            if draft.exists():
                identity = msgspec.json.decode(draft.read_bytes(), type=Identity)
                signer, recovery = (load_key(path, identity.origin) for path in (self.key, self.recovery_key))
            else:
                origin = Identity(FORMAT, ledger, "").origin
                for stale in (self.key, self.recovery_key):
                    stale.unlink(missing_ok=True)
                signer, recovery = (create_key(path, origin) for path in (self.key, self.recovery_key))
                identity = Identity(FORMAT, ledger, str(signer.verifier))
                write_private(draft, msgspec.json.encode(identity))
            begin(self, identity, signer, recovery)
            draft.replace(self._identity)
            return identity

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for work that only one process at a time may do."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileExistsError, NotADirectoryError):
            raise HomeUnusable(f"{self.root} is not a folder", cure="name a folder with --home") from None
        except OSError as fault:
            raise HomeReadOnly(
                f"{self.root} cannot be written", why=os.strerror(fault.errno or 0), cure="name another --home"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _upgraded(self, identity: Identity) -> Identity:
        if identity.format == FORMAT:
            return identity
        with self.locked():
            for step in range(identity.format, FORMAT):
                UPGRADES[step](self)
            upgraded = msgspec.structs.replace(identity, format=FORMAT)
            draft = self.root / f"home.json.{os.getpid()}"
            draft.write_bytes(msgspec.json.encode(upgraded))
            draft.replace(self._identity)
        return upgraded


def home_path(named: str | os.PathLike[str] | None) -> Path:
    """The folder that was named, else the one of the environment, else the project's own."""
    return Path(named or os.environ.get("CONTROL_PLANE_HOME") or Path(".opencode") / "control-plane").expanduser()

"""A home is made once, opened safely, and whatever is wrong with it is said in one clear line."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from control_plane.clock import Clock, VirtualClock, new_id
from control_plane.errors import (
    ControlPlaneError,
    ForeignHome,
    HomeReadOnly,
    HomeUnusable,
    KeyMissing,
    KeyUnknown,
    KeyUnsafe,
    LedgerDamaged,
    NewerHome,
    Rollback,
)
from control_plane.ledger import facts
from control_plane.ledger import home as homes
from control_plane.ledger.events import Catalogue
from control_plane.ledger.home import Home, Identity, home_of
from control_plane.ledger.keys import create_key
from control_plane.ledger.notes import Signer
from control_plane.ledger.opening import Opened, create_home, open_home
from tests.ledger.processes import Process, race

CATALOGUE = Catalogue(facts.EVENTS)
NOBODY = 65534


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    create_home(made, CATALOGUE, Clock())
    return made


def opened_and_checked(home: Home) -> None:
    with closing(Opened(home, CATALOGUE, Clock())) as opened:
        opened.check()
        opened.recover()
        opened.sight()


def refusal(kind: type[ControlPlaneError], attempt: Callable[[], object]) -> ControlPlaneError:
    """What an attempt is refused with: exactly this kind, its code, and one line that a person understands."""
    with pytest.raises(ControlPlaneError) as refused:
        attempt()
    error = refused.value
    assert (type(error), error.code) == (kind, kind.code)
    assert "\n" not in str(error)
    assert "Traceback" not in str(error)
    assert 20 < len(str(error)) < 400
    return error


def database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.requirement("LEDGER-143")
def test_a_home_that_nobody_made_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refusal(HomeUnusable, lambda: Opened(Home(tmp_path / "nowhere"), CATALOGUE, Clock()))
    assert "control-plane init" in error.cure


@pytest.mark.requirement("LEDGER-143")
@pytest.mark.parametrize("attempt", [create_home, Opened], ids=["make", "open"])
@pytest.mark.parametrize(
    "name", ["a file", "a file/below", "nul\0byte", "x" * 5000], ids=["file", "below", "nul", "long"]
)
def test_a_name_that_cannot_be_a_folder_is_refused(
    tmp_path: Path, attempt: Callable[[Home, Catalogue, Clock], object], name: str
) -> None:
    (tmp_path / "a file").write_text("not a folder")
    with pytest.raises(ControlPlaneError) as refused:
        attempt(Home(tmp_path / name), CATALOGUE, Clock())
    assert refused.value.code in ("home.unusable", "home.read-only")
    assert "\n" not in str(refused.value)


@pytest.mark.requirement("LEDGER-144")
@pytest.mark.parametrize("attempt", [create_home, Opened], ids=["make", "open"])
def test_a_database_that_somebody_else_made_is_neither_used_nor_changed(
    tmp_path: Path, attempt: Callable[[Home, Catalogue, Clock], object]
) -> None:
    home = Home(tmp_path)
    database(home.database, "CREATE TABLE customers (name TEXT)")
    before = home.database.read_bytes()
    refusal(ForeignHome, lambda: attempt(home, CATALOGUE, Clock()))
    assert home.database.read_bytes() == before
    assert not home.key.exists()


@pytest.mark.requirement("LEDGER-144")
@pytest.mark.parametrize("content", ["another program's", "garbage", "another ledger's", "nothing", "deleted"])
def test_a_home_whose_database_was_exchanged_is_refused(home: Home, tmp_path: Path, content: str) -> None:
    home.database.unlink()
    if content == "another program's":
        database(home.database, "CREATE TABLE stored_events (id INTEGER)")
    elif content == "garbage":
        home.database.write_bytes(os.urandom(5000))
    elif content == "another ledger's":
        other = Home(tmp_path / "other")
        create_home(other, CATALOGUE, Clock())
        shutil.copy(other.database, home.database)
    elif content == "nothing":
        home.database.touch()
    # The home is ours: what cannot be a database at all is what is left of one that was.
    kind = LedgerDamaged if content in ("garbage", "nothing") else ForeignHome
    error = refusal(kind, lambda: Opened(home, CATALOGUE, Clock()))
    assert ("restore" in error.cure) == (content in ("deleted", "garbage", "nothing"))


@pytest.mark.requirement("LEDGER-144")
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"format":1}', b"\xff", b'{"format":1,"ledger":"x","root_key":"?"}']
)
def test_a_home_json_that_cannot_be_read_is_refused(home: Home, content: bytes) -> None:
    (home.root / "home.json").write_bytes(content)
    refusal(ForeignHome, lambda: Opened(home, CATALOGUE, Clock()))


@pytest.mark.parametrize("attempt", [create_home, Opened], ids=["make", "open"])
def test_a_home_without_its_home_json_is_not_made_over_again(
    home: Home, attempt: Callable[[Home, Catalogue, Clock], object]
) -> None:
    key = home.key.read_bytes()
    (home.root / "home.json").unlink()
    assert "home.json is missing" in refusal(ForeignHome, lambda: attempt(home, CATALOGUE, Clock())).what
    assert home.key.read_bytes() == key


@pytest.mark.requirement("LEDGER-95", "LEDGER-145")
@pytest.mark.parametrize("newer", ["home", "schema"])
def test_a_home_of_a_newer_program_is_refused_and_left_alone(home: Home, newer: str) -> None:
    if newer == "home":
        identity = msgspec.structs.replace(home.identity(), format=homes.FORMAT + 1)
        (home.root / "home.json").write_bytes(msgspec.json.encode(identity))
    else:
        database(home.database, "PRAGMA user_version = 99")
    before = home.database.read_bytes()
    error = refusal(NewerHome, lambda: Opened(home, CATALOGUE, Clock()))
    assert "newer" in error.cure
    assert home.database.read_bytes() == before


@pytest.mark.requirement("LEDGER-96")
def test_a_home_of_an_older_program_is_upgraded_step_by_step_and_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program grows by two formats; the home that today's wrote goes through both steps, in order."""
    steps: list[int] = []
    monkeypatch.setattr(homes, "FORMAT", 3)
    monkeypatch.setattr(homes, "UPGRADES", {1: lambda _: steps.append(1), 2: lambda _: steps.append(2)})
    assert home.identity().format == 3
    opened_and_checked(home)
    assert steps == [1, 2]


@pytest.mark.requirement("LEDGER-96")
def test_an_upgrade_that_died_goes_on_where_it_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def dies_once(_: Home) -> None:
        steps.append("second")
        if len(steps) == 2:
            raise InterruptedError

    monkeypatch.setattr(homes, "FORMAT", 3)
    monkeypatch.setattr(homes, "UPGRADES", {1: lambda _: steps.append("first"), 2: dies_once})
    with pytest.raises(InterruptedError):
        home.identity()
    assert home.identity().format == 3
    assert steps == ["first", "second", "second"]


def test_a_format_that_no_program_wrote_is_refused(home: Home) -> None:
    identity = msgspec.structs.replace(home.identity(), format=0)
    (home.root / "home.json").write_bytes(msgspec.json.encode(identity))
    refusal(ForeignHome, lambda: Opened(home, CATALOGUE, Clock()))


@pytest.mark.requirement("LEDGER-146")
def test_a_home_whose_key_is_missing_is_refused_for_writing_and_open_for_reading(home: Home) -> None:
    home.key.unlink()
    error = refusal(KeyMissing, lambda: Opened(home, CATALOGUE, Clock()))
    assert "recover-key" in error.cure
    with closing(Opened(home, CATALOGUE, Clock(), signing=False)) as reading:
        reading.check()
        assert reading.backend.size() == 1


@pytest.mark.requirement("LEDGER-35")
def test_a_key_that_others_can_read_is_refused_with_the_command_that_cures_it(home: Home) -> None:
    home.key.chmod(0o644)
    error = refusal(KeyUnsafe, lambda: Opened(home, CATALOGUE, Clock()))
    assert error.cure == f"chmod 600 {home.key}"


def test_a_key_of_nobody_is_refused_before_anything_is_written(home: Home) -> None:
    home.key.unlink()
    create_key(home.key, home.identity().origin)
    with closing(Opened(home, CATALOGUE, Clock())) as opened:
        error = refusal(KeyUnknown, opened.check)
    assert "ledger key admit" in error.cure


@pytest.mark.requirement("LEDGER-45")
def test_an_old_copy_put_back_is_refused(home: Home, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    shutil.copy(home.database, old)
    with closing(Opened(home, CATALOGUE, Clock())) as opened:
        opened.backend.insert("a", 1, ["test.seen"], [b"{}"])
        opened.sight()
    shutil.copy(old, home.database)
    for beside in ("-wal", "-shm"):
        Path(f"{home.database}{beside}").unlink(missing_ok=True)
    with closing(Opened(home, CATALOGUE, Clock())) as opened:
        error = refusal(Rollback, opened.check)
    assert "restore the newest copy" in error.cure


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home in a folder that its user may read but not write; permission bits mean nothing to root, so not as root."""
    # Not under pytest's folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp())
    made = Home(folder / "home")
    create_home(made, CATALOGUE, Clock())
    opened_and_checked(made)
    everything = [folder, made.root, *made.root.rglob("*")]
    root = os.geteuid() == 0
    for path in everything:
        if root:
            os.chown(path, NOBODY, NOBODY)
        path.chmod(0o500 if path.is_dir() else 0o400)
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    yield folder
    if root:
        os.setresuid(0, 0, 0)
    for path in everything:
        path.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.requirement("LEDGER-148")
def test_a_home_on_a_read_only_disk_is_refused(read_only: Path) -> None:
    refusal(HomeReadOnly, lambda: Opened(Home(read_only / "home"), CATALOGUE, Clock()))


@pytest.mark.requirement("LEDGER-148")
def test_a_home_cannot_be_made_on_a_read_only_disk(read_only: Path) -> None:
    refusal(HomeReadOnly, lambda: create_home(Home(read_only / "new"), CATALOGUE, Clock()))


class Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", ["keys", "event"])
def test_a_creation_that_died_is_taken_up_again(tmp_path: Path, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")

    def dies(home: Home, draft: Identity, signer: Signer, recovery: Signer) -> Identity:
        raise Died

    if after == "keys":
        with pytest.raises(Died):
            home.create(new_id(Clock().now()), dies)
    else:
        with monkeypatch.context() as patched:
            patched.setattr(Home, "_write", write_but_not_home_json(Home._write))
            with pytest.raises(Died):
                create_home(home, CATALOGUE, Clock())
    key = home.key.read_bytes()
    assert not home.exists()
    create_home(home, CATALOGUE, Clock())
    assert home.key.read_bytes() == key
    opened_and_checked(home)
    assert not (home.root / "home.json.draft").exists()


def write_but_not_home_json(write: Callable[[Home, Path, Identity], None]) -> Callable[[Home, Path, Identity], None]:
    def written(home: Home, path: Path, identity: Identity) -> None:
        if path.name == "home.json":
            raise Died
        write(home, path, identity)

    return written


def test_making_a_home_twice_changes_nothing(home: Home) -> None:
    before = {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    assert create_home(home, CATALOGUE, VirtualClock()) == home.identity()
    assert {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()} == before


def test_open_home_makes_what_is_not_there_and_opens_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTROL_PLANE_HOME", str(tmp_path / "by environment"))
    for named in (tmp_path / "by name", str(tmp_path / "by text"), None):
        ledgers = []
        for _ in range(2):
            with closing(open_home(named, None, CATALOGUE, Clock())) as opened:
                opened.check()
                ledgers.append(opened.identity.ledger)
        assert len(set(ledgers)) == 1
    assert home_of(None).root == tmp_path / "by environment"


CREATES = """
from pathlib import Path
from control_plane.clock import Clock
from control_plane.errors import ControlPlaneError
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.opening import open_home
ready()
opened = open_home(Path(sys.argv[1]), None, Catalogue(facts.EVENTS), Clock())
opened.check()
for version in range(1, 11):
    opened.backend.insert(sys.argv[2], version, ["test.seen"], [b"{}"])
answer(opened.identity.ledger)
opened.close()
"""


@pytest.mark.requirement("LEDGER-147", "LEDGER-32")
def test_processes_that_race_to_make_a_home_all_get_the_same_and_can_write(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "home"
    ledgers = race(*(Process(CREATES, folder, f"process {number}") for number in range(4)))
    home = Home(folder)
    assert set(ledgers) == {home.identity().ledger}
    with closing(Opened(home, CATALOGUE, Clock())) as opened:
        opened.check()
        assert opened.backend.size() == 41
        assert [row.topic for row in opened.backend.own_rows()] == ["ledger.created"]


def test_a_home_whose_ledger_is_no_id_is_refused(tmp_path: Path):
    create_home(Home(tmp_path / "home"), CATALOGUE, Clock())
    path = tmp_path / "home" / "home.json"
    path.write_text(path.read_text().replace('"ledger":"', '"ledger":"../../'))
    with pytest.raises(ForeignHome, match=r"home\.json cannot be read"):
        Home(tmp_path / "home").identity()

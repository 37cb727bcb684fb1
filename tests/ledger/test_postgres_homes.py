"""A home in PostgreSQL: each host has a state folder and a key, and a signed event says whose key counts."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from control_plane import extras
from control_plane.clock import Clock
from control_plane.errors import (
    BadInput,
    ControlPlaneError,
    ForeignHome,
    Forked,
    KeyMissing,
    KeyUnknown,
    LedgerUnavailable,
    NewerHome,
    Rollback,
    SettingsError,
)
from control_plane.ledger import facts, key_changes
from control_plane.ledger.events import Catalogue
from control_plane.ledger.home import Home, home_of
from control_plane.ledger.journal import Journal
from control_plane.ledger.keys import load_key
from control_plane.ledger.notes import Note
from control_plane.ledger.opening import Opened, create_home, open_home
from control_plane.ledger.postgres_address import PostgresAddress, is_postgres
from control_plane.ledger.postgres_backend import PostgresBackend
from tests.ledger.processes import Process, race
from tests.ledger.test_opening import refusal

CATALOGUE = Catalogue(facts.EVENTS)


@pytest.fixture
def first(postgres_url: str, tmp_path: Path) -> Iterator[Opened]:
    """The host that began the ledger."""
    opened = open_home(postgres_url, tmp_path / "first", CATALOGUE, Clock())
    opened.check()
    yield opened
    opened.close()


def say(opened: Opened, stream: str, version: int = 1) -> int:
    return opened.backend.insert(stream, version, ["test.seen"], [b"{}"])


def tables(url: str, *statements: str) -> None:
    """What somebody who can write to the database does to it."""
    address = PostgresAddress.parse(url)
    with psycopg.connect(address.url, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{address.schema}"')
        connection.execute(f'SET search_path TO "{address.schema}"')
        for statement in statements:
            connection.execute(statement)


@pytest.mark.requirement("LEDGER-42")
def test_a_second_host_is_refused_until_its_key_is_admitted_and_then_signs(
    first: Opened, postgres_url: str, tmp_path: Path
) -> None:
    with closing(open_home(postgres_url, tmp_path / "second", CATALOGUE, Clock())) as second:
        own = load_key(second.home.key, second.identity.origin).verifier
        error = refusal(KeyUnknown, second.check)
        assert f"control-plane ledger key admit {own}" in error.cure
        refusal(KeyUnknown, lambda: say(second, "second"))
        assert first.backend.size() == 1
        key_changes.admit(first, own)
        second.check()
        assert [say(second, "second"), say(first, "first"), say(second, "second", 2)] == [3, 4, 5]
        with second.backend.tree() as tree:
            assert Note.parse(tree.last_note() or "").signed_by(second.keyring().current()) == [own]
    first.check()


@pytest.mark.requirement("LEDGER-42")
def test_a_host_whose_key_was_revoked_signs_nothing_more(first: Opened, postgres_url: str, tmp_path: Path) -> None:
    with closing(open_home(postgres_url, tmp_path / "second", CATALOGUE, Clock())) as second:
        own = load_key(second.home.key, second.identity.origin).verifier
        key_changes.admit(first, own)
        say(second, "second")
        key_changes.revoke(first, own)
        with pytest.raises(ControlPlaneError) as refused:
            say(second, "second", 2)
        assert refused.value.code == "key.retired"
    assert first.backend.size() == 4


def test_a_state_folder_holds_this_hosts_things_and_none_of_the_others(first: Opened, postgres_url: str) -> None:
    second = home_of(postgres_url, first.home.root.parent / "second")
    create_home(second, CATALOGUE, Clock())
    assert second.identity() == first.identity
    assert second.key.read_bytes() != first.home.key.read_bytes()
    assert first.home.recovery_key.exists()
    assert not second.recovery_key.exists()
    assert not first.home.database.exists()


def test_the_witness_of_a_host_is_in_its_state_folder_unless_the_environment_names_one(
    first: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert first.home.witness == Path(os.environ["CONTROL_PLANE_WITNESS"])
    monkeypatch.delenv("CONTROL_PLANE_WITNESS")
    assert first.home.witness == first.home.root / "witness"


def test_the_state_folder_is_named_by_the_environment_or_after_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = home_of("postgresql://user:secret@db.example:5432/plane?schema=acme").root
    assert named.parent == Path(os.environ["XDG_STATE_HOME"]) / "control-plane"
    assert named.name.startswith("plane.acme-")
    assert home_of("postgresql://other@db.example:5432/plane?schema=acme").root == named
    assert home_of("postgresql://user@db.example:5432/plane?schema=other").root != named
    monkeypatch.setenv("CONTROL_PLANE_STATE", str(tmp_path))
    assert home_of("postgresql://db.example/plane").root == tmp_path
    assert home_of("postgresql://db.example/plane", tmp_path / "given").root == tmp_path / "given"


@pytest.mark.requirement("LEDGER-143")
@pytest.mark.parametrize(
    "url", ["postgresql://", "postgresql://host", "postgres://host/a/b", "postgresql://h/d?schema="]
)
def test_an_address_without_a_database_is_bad_input(url: str) -> None:
    refusal(BadInput, lambda: home_of(url))


def test_an_address_never_shows_its_password() -> None:
    address = PostgresAddress.parse("postgresql://me:secret@h/d?sslmode=require&schema=s")
    assert "secret" not in address.label
    assert address.url == "postgresql://me:secret@h/d?sslmode=require"
    assert (is_postgres("POSTGRES://h/d"), is_postgres("postgresql"), is_postgres(Path("x"))) == (True, False, False)


@pytest.mark.requirement("LEDGER-143")
def test_a_server_that_cannot_be_reached_is_refused_with_its_reason(tmp_path: Path) -> None:
    nowhere = "/there/is/no/such/folder"
    url = f"postgresql://me:secret@/plane?host={nowhere}"
    error = refusal(LedgerUnavailable, lambda: open_home(url, tmp_path / "state", CATALOGUE, Clock()))
    assert "secret" not in str(error)
    assert nowhere in error.why


@pytest.mark.requirement("LEDGER-144")
@pytest.mark.parametrize("attempt", ["make", "open"])
def test_tables_that_somebody_else_made_are_refused(postgres_url: str, tmp_path: Path, attempt: str) -> None:
    home = home_of(postgres_url, tmp_path / "state")
    if attempt == "open":
        create_home(home, CATALOGUE, Clock())
        tables(postgres_url, "DROP TABLE stored_events")
    tables(postgres_url, "CREATE TABLE stored_events (id bigint)")
    refusal(ForeignHome, lambda: (create_home if attempt == "make" else Opened)(home, CATALOGUE, Clock()))


@pytest.mark.requirement("LEDGER-144")
def test_a_signed_log_that_no_control_plane_began_is_refused(first: Opened, postgres_url: str, tmp_path: Path) -> None:
    tables(postgres_url, "UPDATE stored_events SET topic = 'orders.placed'")
    refusal(ForeignHome, lambda: open_home(postgres_url, tmp_path / "second", CATALOGUE, Clock()))


@pytest.mark.requirement("LEDGER-144")
def test_a_state_folder_of_another_ledger_is_refused(first: Opened, postgres_url: str, tmp_path: Path) -> None:
    other = postgres_url + "_other"
    open_home(other, tmp_path / "other", CATALOGUE, Clock()).close()
    error = refusal(ForeignHome, lambda: open_home(other, first.home.root, CATALOGUE, Clock()))
    assert "state folder" in error.cure


@pytest.mark.requirement("LEDGER-145")
def test_tables_of_a_newer_program_are_refused(first: Opened, postgres_url: str) -> None:
    tables(postgres_url, "COMMENT ON TABLE stored_events IS 'control-plane ledger, schema 99'")
    refusal(NewerHome, lambda: Opened(first.home, CATALOGUE, Clock()))


def test_a_log_that_was_dropped_is_not_begun_again(first: Opened, postgres_url: str) -> None:
    tables(postgres_url, "DROP TABLE stored_events, stored_events_tiles, stored_events_checkpoints")
    error = refusal(ForeignHome, lambda: open_home(postgres_url, first.home.root, CATALOGUE, Clock()))
    assert "restore" in error.cure


@pytest.mark.requirement("LEDGER-146")
def test_a_host_whose_key_is_missing_is_refused(first: Opened) -> None:
    first.home.key.unlink()
    refusal(KeyMissing, lambda: Opened(first.home, CATALOGUE, Clock()))


@pytest.mark.requirement("LEDGER-45")
def test_a_log_that_was_put_back_to_an_earlier_state_is_refused(first: Opened, postgres_url: str) -> None:
    say(first, "a")
    say(first, "a", 2)
    first.sight()
    with first.backend.tree() as tree:
        note = (tree.last_note() or "").replace("'", "''")
    assert note
    tables(
        postgres_url,
        "DELETE FROM stored_events WHERE notification_id > 1",
        "DELETE FROM stored_events_checkpoints",
    )
    refusal(Rollback, first.check)


@pytest.mark.requirement("LEDGER-138")
@pytest.mark.parametrize("setting", ["y", "true", "1", "on", "nonsense"])
def test_the_librarys_database_functions_are_refused(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", setting)
    error = refusal(SettingsError, lambda: open_home(postgres_url, tmp_path / "state", CATALOGUE, Clock()))
    assert error.cure == "unset POSTGRES_ENABLE_DB_FUNCTIONS"


@pytest.mark.parametrize("setting", ["", "n", "false", "0"])
def test_database_functions_that_are_off_do_no_harm(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", setting)
    open_home(postgres_url, tmp_path / "state", CATALOGUE, Clock()).close()


@pytest.mark.requirement("LEDGER-76")
def test_a_commit_of_another_process_wakes_who_waits(first: Opened, postgres_url: str) -> None:
    backend = first.backend
    assert isinstance(backend, PostgresBackend)
    backend.changed()
    assert not backend.wait_for_change(0)
    writer = Process(WRITES_ONE, postgres_url, first.home.root)
    writer.wait_until_ready()
    assert not backend.wait_for_change(0)
    writer.go()
    assert backend.wait_for_change(30)
    assert backend.size() == 2
    assert writer.result() == 2
    assert not backend.changed()


WRITES_ONE = """
from control_plane.clock import Clock
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.opening import open_home
opened = open_home(sys.argv[1], sys.argv[2], Catalogue(facts.EVENTS), Clock())
ready()
answer(opened.backend.insert("other process", 1, ["test.seen"], [b"{}"]))
opened.close()
"""


@pytest.mark.requirement("LEDGER-76")
def test_what_was_committed_while_the_listening_connection_was_lost_is_not_missed(
    first: Opened, postgres_url: str, tmp_path: Path
) -> None:
    backend = first.backend
    assert isinstance(backend, PostgresBackend)
    backend.changed()
    tables(postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    with closing(Opened(first.home, CATALOGUE, Clock())) as other:
        say(other, "a")
    assert backend.wait_for_change(30)
    assert not backend.changed()


def test_connections_that_the_server_dropped_are_replaced(first: Opened, postgres_url: str) -> None:
    say(first, "a")
    tables(postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert [say(first, "a", version) for version in (2, 3)] == [3, 4]
    assert first.backend.size() == 4
    first.check()


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused_and_its_parent_goes_on(
    first: Opened, could_not_run: Callable[[str], NoReturn]
) -> None:
    if not hasattr(os, "fork"):
        could_not_run("this platform does not fork")
    say(first, "a")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        codes = []
        for attempt in (lambda: say(first, "a", 2), first.backend.size, first.backend.changed):
            try:
                attempt()
            except Forked as fault:
                codes.append(fault.code)
        os.write(writer, ",".join(codes).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader) as said:
        assert said.read() == "journal.forked,journal.forked,journal.forked"
    assert say(first, "a", 2) == 3


CREATES = """
from pathlib import Path
from typing import NoReturn
from control_plane.clock import Clock
from control_plane.errors import ControlPlaneError
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.opening import open_home
import control_plane.ledger.postgres_backend
ready()
opened = open_home(sys.argv[1], Path(sys.argv[2]), Catalogue(facts.EVENTS), Clock())
try:
    opened.check()
    opened.backend.insert(sys.argv[3], 1, ["test.seen"], [b"{}"])
    said = "wrote"
except ControlPlaneError as fault:
    said = fault.code
answer([opened.identity.ledger, said])
opened.close()
"""


@pytest.mark.requirement("LEDGER-147")
def test_processes_of_two_hosts_that_race_to_begin_a_ledger_all_end_well(postgres_url: str, tmp_path: Path) -> None:
    """Two processes on each of two hosts: both of one host write, both of the other are told how to be admitted."""
    hosts = [tmp_path / host for host in ("a", "a", "b", "b")]
    answers = race(*(Process(CREATES, postgres_url, host, number) for number, host in enumerate(hosts)))
    assert len({ledger for ledger, _ in answers}) == 1
    said = [what for _, what in answers]
    assert sorted([said[:2], said[2:]]) == [["key.unknown", "key.unknown"], ["wrote", "wrote"]]
    winner = home_of(postgres_url, hosts[0] if said[0] == "wrote" else hosts[2])
    with closing(Opened(winner, CATALOGUE, Clock())) as opened:
        opened.check()
        assert opened.backend.size() == 3


def test_a_dead_writers_journal_is_committed_to_postgres(first: Opened) -> None:
    journal = Journal(first.home.journal, segments=2, segment_bytes=1 << 16)
    journal.append(b"\x09test.seen{}")
    journal.close()
    assert first.recover() == 1
    assert [row.topic for row in first.backend.rows(1, 9)] == ["test.seen", "ledger.journal-recovered"]
    assert first.recover() == 0


def test_without_the_driver_the_error_names_the_extra(tmp_path: Path) -> None:
    said = Process(
        """
sys.modules["psycopg"] = None
from control_plane.clock import Clock
from control_plane.errors import ControlPlaneError
from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue
from control_plane.ledger.opening import open_home
ready()
try:
    open_home("postgresql://nowhere/db", sys.argv[1], Catalogue(facts.EVENTS), Clock())
except ControlPlaneError as fault:
    answer([fault.code, fault.cure])
""",
        tmp_path,
    )
    assert race(said) == [["extra.missing", extras.install("postgres")]]


def test_a_home_in_postgres_is_not_mistaken_for_a_folder(first: Opened) -> None:
    assert Home(first.home.root).address is None
    refusal(ForeignHome, lambda: Opened(Home(first.home.root), CATALOGUE, Clock()))

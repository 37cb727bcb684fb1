"""A stock application on our persistence modules: its events are signed, and tampering is found and named."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.cipher import AESCipher
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent

from control_plane.errors import ForeignHome, KeyMissing, KeyUnknown, KeyUnsafe, LedgerDamaged, SettingsError
from control_plane.ledger.notes import Note
from control_plane.persistence import verify
from control_plane.persistence.binding import BindingMapper


class Counter(Aggregate):
    count = 0

    @event("Counted")
    def counted(self) -> None:
        self.count += 1


class Counters(Application[UUID]):
    """As anybody would write it: it knows nothing of signatures."""

    is_snapshotting_enabled = True

    def count(self, times: int) -> UUID:
        counter = Counter()
        for _ in range(times):
            counter.counted()
        self.save(counter)
        return counter.id


@pytest.fixture(params=["sqlite", "postgres"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if request.param == "sqlite":
        return {
            "PERSISTENCE_MODULE": "control_plane.persistence.sqlite",
            "SQLITE_DBNAME": str(tmp_path / "counters.db"),
        }
    request.getfixturevalue("postgres_schema")
    return {
        "PERSISTENCE_MODULE": "control_plane.persistence.postgres",
        "SIGNING_KEY": str(tmp_path / "counters.key"),
        "POSTGRES_DBNAME": "postgres",
        "POSTGRES_HOST": str(request.getfixturevalue("postgres_host")),
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": "",
        "POSTGRES_SCHEMA": request.getfixturevalue("schema"),
    }


@pytest.fixture
def application(environment: dict[str, str]) -> Iterator[Counters]:
    with Counters(env=environment) as counters:
        counters.count(5)
        counters.count(300)
        yield counters


def tamper(environment: dict[str, str], statement: str) -> None:
    """As somebody who can write to the database; `{events}`, `{id}` and `{tree}` are what they are called there."""
    if "SQLITE_DBNAME" in environment:
        names = {"events": "stored_events", "id": "rowid", "tiles": "tiles", "checkpoints": "checkpoints"}
        with closing(sqlite3.connect(environment["SQLITE_DBNAME"], isolation_level=None)) as connection:
            connection.execute(statement.format(**names))
        return
    table = f'"{environment["POSTGRES_SCHEMA"]}".counters_events'
    names = {
        "events": table,
        "id": "notification_id",
        "tiles": f"{table}_tiles",
        "checkpoints": f"{table}_checkpoints",
    }
    with psycopg.connect(host=environment["POSTGRES_HOST"], user="postgres", autocommit=True) as postgres:
        postgres.execute(statement.format(**names))


@pytest.mark.requirement("LEDGER-33")
def test_a_stock_application_is_signed_by_one_setting(application: Counters, environment: dict[str, str]) -> None:
    checkpoint = verify(application)
    assert checkpoint.size == 307
    with Counters(env=environment) as again:
        again.count(1)
        assert verify(again).size == 309
        assert verify(again).origin == checkpoint.origin
    assert verify(application).size == 309


TAMPERINGS = {
    "a state": ("UPDATE {events} SET state = '{{}}' WHERE {id} = 299", "event 299 is not as it was signed"),
    "a topic": ("UPDATE {events} SET topic = 'os:system' WHERE {id} = 3", "event 3 is not as it was signed"),
    "a version": ("UPDATE {events} SET originator_version = 999 WHERE {id} = 307", "event 307 is not"),
    "a stream": (
        "UPDATE {events} SET originator_id = '00000000-0000-0000-0000-000000000001' WHERE {id} = 8",
        "event 8 ",
    ),
    "a deleted row": ("DELETE FROM {events} WHERE {id} = 256", "event 256 is missing"),
    "a truncated log": ("DELETE FROM {events} WHERE {id} > 300", "event 301 is missing"),
    "an added row": (
        "INSERT INTO {events} ({id}, originator_id, originator_version, topic, state) "
        "SELECT 308, originator_id, 5000, topic, state FROM {events} WHERE {id} = 307",
        "event 308 was never signed",
    ),
    "a tile": ("UPDATE {tiles} SET hashes = state FROM {events} WHERE level = 0 AND {id} = 1", "event 1 is not"),
}


@pytest.mark.requirement("LEDGER-33")
@pytest.mark.parametrize(("statement", "named"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_with_a_stock_application_is_found(
    application: Counters, environment: dict[str, str], statement: str, named: str
) -> None:
    verify(application)
    tamper(environment, statement)
    with pytest.raises(LedgerDamaged, match=named):
        verify(application)


def test_a_checkpoint_of_another_key_is_found(application: Counters, environment: dict[str, str]) -> None:
    tamper(environment, "UPDATE {checkpoints} SET note = replace(note, '— ', '— other-')")
    with pytest.raises(KeyUnknown):
        verify(application)


@pytest.mark.parametrize("environment", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "change", ["originator_id = 'nobody'", "state = 5", "topic = x'ff'", "originator_version = 'x'"]
)
def test_a_value_that_cannot_even_be_read_is_named(
    application: Counters, environment: dict[str, str], change: str
) -> None:
    tamper(environment, f"UPDATE {{events}} SET {change} WHERE {{id}} = 270")
    with pytest.raises(LedgerDamaged, match="event 270 is not as it was signed"):
        verify(application)


def test_an_application_that_signs_nothing_does_not_verify() -> None:
    with pytest.raises(LedgerDamaged, match="not signed"), Application[UUID](env={}) as unsigned:
        verify(unsigned)


@pytest.mark.requirement("LEDGER-33", "LEDGER-36")
def test_the_key_lies_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    environment = sqlite_environment(tmp_path)
    with Counters(env=environment) as counters:
        counters.count(1)
    key = tmp_path / "counters.db.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(KeyUnsafe):
        Counters(env=environment)
    key.unlink()
    with pytest.raises(KeyMissing):
        Counters(env=environment)
    assert not key.exists()


def sqlite_environment(folder: Path) -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "control_plane.persistence.sqlite",
        "SQLITE_DBNAME": str(folder / "counters.db"),
    }


def test_of_many_who_make_the_key_at_once_all_use_the_same(tmp_path: Path) -> None:
    def count(_: int) -> str:
        with Counters(env=sqlite_environment(tmp_path)) as counters:
            counters.count(1)
            return verify(counters).origin

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(count, range(8)))) == 1
    assert [path.name for path in tmp_path.glob("*.key*")] == ["counters.db.key"]


def test_an_unsigned_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    environment = sqlite_environment(tmp_path)
    with Counters(env={**environment, "PERSISTENCE_MODULE": "eventsourcing.sqlite"}) as unsigned:
        unsigned.count(1)
    with pytest.raises(ForeignHome, match="not signed"):
        Counters(env=environment)
    assert not (tmp_path / "counters.db.key").exists()


@pytest.mark.parametrize("environment", ["postgres"], indirect=True)
def test_an_unsigned_table_in_postgres_is_refused(environment: dict[str, str]) -> None:
    tamper(environment, "CREATE TABLE {events} (notification_id bigint)")
    with pytest.raises(ForeignHome):
        Counters(env=environment)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "counters.db").write_bytes(b"no database" * 100)
    with pytest.raises(ForeignHome, match="not a database"):
        Counters(env=sqlite_environment(tmp_path))


@pytest.mark.parametrize("environment", ["postgres"], indirect=True)
def test_postgres_without_a_place_for_a_key_asks_for_one(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del environment["SIGNING_KEY"]
    with pytest.raises(KeyMissing, match="SIGNING_KEY"):
        Counters(env=environment)
    monkeypatch.setenv("CONTROL_PLANE_STATE", str(tmp_path / "state"))
    with Counters(env=environment) as counters:
        counters.count(1)
        verify(counters)


@pytest.mark.requirement("LEDGER-138")
@pytest.mark.parametrize("setting", ["y", "true", "1"])
def test_database_functions_are_refused(environment: dict[str, str], setting: str) -> None:
    environment |= {"PERSISTENCE_MODULE": "control_plane.persistence.postgres", "POSTGRES_ENABLE_DB_FUNCTIONS": setting}
    with pytest.raises(SettingsError, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        Counters(env=environment)


def test_the_origin_may_be_named(environment: dict[str, str]) -> None:
    with Counters(env={**environment, "SIGNING_ORIGIN": "example.org/counters"}) as counters:
        counters.count(1)
        assert verify(counters).origin == "example.org/counters"
        with counters.factory.tree() as tree:  # type: ignore[attr-defined]
            assert Note.parse(tree.last_note()).signatures[0][0] == "example.org/counters"


def encrypted(environment: dict[str, str]) -> Counters:
    return Counters(env={**environment, "CIPHER_KEY": AESCipher.create_key(16)})


def test_encrypted_states_are_read_where_they_were_written(environment: dict[str, str]) -> None:
    with encrypted(environment) as counters:
        counter = counters.count(3)
        counters.take_snapshot(counter)
        assert counters.repository.get(counter).count == 3
        assert all(b"counted" not in row.state for row in counters.recorder.select_notifications(1, 10))
        verify(counters)


@pytest.mark.parametrize("moved", ["stream", "version", "topic"])
def test_an_encrypted_state_does_not_decrypt_in_another_place(moved: str) -> None:
    with encrypted({"PERSISTENCE_MODULE": "control_plane.persistence.memory"}) as counters:
        mapper: BindingMapper[Any] = counters.mapper  # type: ignore[assignment]
        [stored] = [mapper.to_stored_event(each) for each in Counter().collect_events()]
        there = {
            "stream": StoredEvent(uuid4(), stored.originator_version, stored.topic, stored.state),
            "version": StoredEvent(stored.originator_id, 2, stored.topic, stored.state),
            "topic": StoredEvent(stored.originator_id, 1, "somewhere:Else", stored.state),
        }[moved]
        mapper.to_domain_event(stored)
        with pytest.raises(MapperDeserialisationError, match="another place"):
            mapper.to_domain_event(there)

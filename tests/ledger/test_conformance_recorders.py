"""The library's own conformance cases for recorders, on ours; after each, the log is as it was signed."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests import persistence as cases

from control_plane.ledger.memory import SignedMemoryApplicationRecorder, SignedMemoryProcessRecorder
from control_plane.ledger.notes import Signer
from control_plane.ledger.postgres import SignedPostgresApplicationRecorder, SignedPostgresProcessRecorder
from control_plane.ledger.postgres_tables import PostgresTree
from control_plane.ledger.sealing import Authority, TreeStore
from control_plane.ledger.sqlite import (
    SignedSQLiteApplicationRecorder,
    SignedSQLiteDatastore,
    SignedSQLiteProcessRecorder,
    SQLiteTree,
)
from control_plane.persistence.verifying import verify_log

Undo = Callable[[], None]


class Verified(TestCase):
    """Every recorder that a case makes is audited when the case is over."""

    process = False

    def setUp(self) -> None:
        self.authority = Authority(Signer("conformance", Ed25519PrivateKey.generate()))
        self.made: list[tuple[Any, Any, Undo]] = []

    def tearDown(self) -> None:
        for recorder, tree, close in self.made:
            checkpoint = verify_log(recorder, tree, self.authority.keyring)
            assert checkpoint.size == (recorder.max_notification_id() or 0)
            close()
        super().tearDown()


class OnSQLite(Verified):
    def database(self) -> str:
        return f"file:{self.folder / f'{len(self.made)}.db'}"

    @pytest.fixture(autouse=True)
    def give_folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def create_recorder(self) -> Any:
        datastore = SignedSQLiteDatastore(self.database(), authority=self.authority, lock_timeout=15)
        kind = SignedSQLiteProcessRecorder if self.process else SignedSQLiteApplicationRecorder
        recorder = kind(datastore)
        recorder.create_table()

        @contextlib.contextmanager
        def tree() -> Iterator[TreeStore]:
            with datastore.transaction(commit=False) as cursor:
                yield SQLiteTree(cursor)

        self.made.append((recorder, tree, datastore.close))
        return recorder


class InMemoryOfSQLite(OnSQLite):
    def database(self) -> str:
        # Connections of one process share it.
        return f"file:{self.id()}.{len(self.made)}?mode=memory&cache=shared"


class OnPostgres(Verified):
    @pytest.fixture(autouse=True)
    def give_server(self, postgres_host: Path) -> None:
        self.host = postgres_host

    @pytest.fixture(autouse=True)
    def give_schema(self, schema: str) -> None:
        self.schema = schema

    def create_recorder(self) -> Any:
        datastore = PostgresDatastore(
            "postgres", str(self.host), "", "postgres", "", pool_size=3, max_overflow=7, schema=self.schema
        )
        kind = SignedPostgresProcessRecorder if self.process else SignedPostgresApplicationRecorder
        recorder = kind(datastore, events_table_name=f"events_{len(self.made)}")
        recorder.create_table()
        recorder.sign_with(self.authority)

        @contextlib.contextmanager
        def tree() -> Iterator[TreeStore]:
            with datastore.transaction() as cursor:
                yield PostgresTree(cursor, recorder.tables)

        self.made.append((recorder, tree, datastore.close))
        return recorder


class InMemory(Verified):
    def create_recorder(self) -> Any:
        recorder = (SignedMemoryProcessRecorder if self.process else SignedMemoryApplicationRecorder)(self.authority)
        self.made.append((recorder, lambda: contextlib.nullcontext(recorder.tree), lambda: None))
        return recorder


class Subscribed:
    optional_test_insert_subscribe: Callable[[], None]

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class Processing:
    process = True


@pytest.mark.requirement("LEDGER-26", "LEDGER-101")
class TestApplicationRecorderOnSQLite(OnSQLite, cases.ApplicationRecorderTestCase[Any]): ...


class TestApplicationRecorderInMemoryOfSQLite(InMemoryOfSQLite, cases.ApplicationRecorderTestCase[Any]): ...


@pytest.mark.requirement("LEDGER-27", "LEDGER-102")
class TestApplicationRecorderOnPostgres(Subscribed, OnPostgres, cases.ApplicationRecorderTestCase[Any]): ...


@pytest.mark.requirement("LEDGER-28")
class TestApplicationRecorderInMemory(Subscribed, InMemory, cases.ApplicationRecorderTestCase[Any]): ...


@pytest.mark.requirement("LEDGER-101")
class TestProcessRecorderOnSQLite(Processing, OnSQLite, cases.ProcessRecorderTestCase): ...


class TestProcessRecorderInMemoryOfSQLite(Processing, InMemoryOfSQLite, cases.ProcessRecorderTestCase): ...


@pytest.mark.requirement("LEDGER-102")
class TestProcessRecorderOnPostgres(Processing, OnPostgres, cases.ProcessRecorderTestCase): ...


class TestProcessRecorderInMemory(Processing, InMemory, cases.ProcessRecorderTestCase): ...


@pytest.mark.requirement("LEDGER-101")
class TestTrackingRecorderOnSQLite(Processing, OnSQLite, cases.TrackingRecorderTestCase): ...


@pytest.mark.requirement("LEDGER-102")
class TestTrackingRecorderOnPostgres(Processing, OnPostgres, cases.TrackingRecorderTestCase): ...


class TestTrackingRecorderInMemory(Processing, InMemory, cases.TrackingRecorderTestCase): ...


@pytest.mark.requirement("LEDGER-101")
class TestNonInterleavingOnSQLite(OnSQLite, cases.NonInterleavingNotificationIDsBaseCase): ...


class TestNonInterleavingInMemoryOfSQLite(InMemoryOfSQLite, cases.NonInterleavingNotificationIDsBaseCase): ...


@pytest.mark.requirement("LEDGER-102")
class TestNonInterleavingOnPostgres(OnPostgres, cases.NonInterleavingNotificationIDsBaseCase): ...


class TestNonInterleavingInMemory(InMemory, cases.NonInterleavingNotificationIDsBaseCase): ...

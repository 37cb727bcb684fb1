"""The library's example application, its application cases and its factory cases, on our persistence modules."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest
from eventsourcing import popo, postgres, sqlite
from eventsourcing.application import Application
from eventsourcing.tests import application as application_cases
from eventsourcing.tests import persistence as persistence_cases
from eventsourcing.utils import Environment

from control_plane.ledger.memory import SignedMemoryApplicationRecorder, SignedMemoryProcessRecorder
from control_plane.ledger.postgres import SignedPostgresApplicationRecorder, SignedPostgresProcessRecorder
from control_plane.ledger.sqlite import SignedSQLiteApplicationRecorder, SignedSQLiteProcessRecorder
from control_plane.persistence import verify
from control_plane.persistence.factory import SignedFactory
from control_plane.persistence.memory import SignedMemoryFactory
from control_plane.persistence.postgres import SignedPostgresFactory
from control_plane.persistence.sqlite import SignedSQLiteFactory

# A case looks for this warning itself.
pytestmark = pytest.mark.filterwarnings("default:'log' is deprecated:DeprecationWarning")


class Configured(TestCase):
    """Each case reads the environment; every application is audited when it is closed, at the latest after the case."""

    configure: Callable[[], None]

    @pytest.fixture(autouse=True)
    def give_environment(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[None]:
        self.setenv, self.folder, self.fixture = monkeypatch.setenv, tmp_path, request.getfixturevalue
        self.configure()
        begin, end = Application.__init__, Application.close
        still_open: list[Application[Any]] = []

        def noticed(application: Application[Any], *args: Any, **kwargs: Any) -> None:
            begin(application, *args, **kwargs)
            still_open.append(application)

        def audited(application: Application[Any]) -> None:
            if application in still_open:
                still_open.remove(application)
                if isinstance(application.factory, SignedFactory):
                    assert verify(application).size == (application.recorder.max_notification_id() or 0)
            end(application)

        monkeypatch.setattr(Application, "__init__", noticed)
        monkeypatch.setattr(Application, "close", audited)
        yield
        for application in still_open:
            application.close()


class OnSQLite(Configured):
    expected_factory_topic = "control_plane.persistence.sqlite:SignedSQLiteFactory"

    def configure(self) -> None:
        self.setenv("PERSISTENCE_MODULE", "control_plane.persistence.sqlite")
        self.setenv("SQLITE_DBNAME", str(self.folder / "application.db"))
        self.setenv("SQLITE_LOCK_TIMEOUT", "15")


class InMemoryOfSQLite(OnSQLite):
    def configure(self) -> None:
        super().configure()
        self.setenv("SQLITE_DBNAME", f"file:{self.folder.name}?mode=memory&cache=shared")


class InMemory(Configured):
    expected_factory_topic = "control_plane.persistence.memory:SignedMemoryFactory"

    def configure(self) -> None:
        self.setenv("PERSISTENCE_MODULE", "control_plane.persistence.memory")


class OnPostgres(Configured):
    expected_factory_topic = "control_plane.persistence.postgres:SignedPostgresFactory"

    def configure(self) -> None:
        self.fixture("postgres_schema")
        self.setenv("PERSISTENCE_MODULE", "control_plane.persistence.postgres")
        self.setenv("CONTROL_PLANE_STATE", str(self.folder))
        host, schema = str(self.fixture("postgres_host")), self.fixture("schema")
        given = {"DBNAME": "postgres", "HOST": host, "USER": "postgres", "PASSWORD": "", "SCHEMA": schema}
        for name, value in given.items():
            self.setenv(f"POSTGRES_{name}", value)


@pytest.mark.requirement("LEDGER-103")
class TestExampleApplicationOnSQLite(OnSQLite, application_cases.ExampleApplicationTestCase): ...


class TestExampleApplicationInMemoryOfSQLite(InMemoryOfSQLite, application_cases.ExampleApplicationTestCase): ...


@pytest.mark.requirement("LEDGER-104")
class TestExampleApplicationOnPostgres(OnPostgres, application_cases.ExampleApplicationTestCase): ...


class TestExampleApplicationInMemory(InMemory, application_cases.ExampleApplicationTestCase): ...


@pytest.mark.requirement("LEDGER-33")
class TestApplicationOnSQLite(OnSQLite, application_cases.ApplicationTestCase): ...


class TestApplicationInMemoryOfSQLite(InMemoryOfSQLite, application_cases.ApplicationTestCase): ...


@pytest.mark.requirement("LEDGER-33")
class TestApplicationOnPostgres(OnPostgres, application_cases.ApplicationTestCase): ...


class TestApplicationInMemory(InMemory, application_cases.ApplicationTestCase): ...


class Factory(Configured):
    kinds: tuple[type[Any], ...]
    env: Environment

    def setUp(self) -> None:
        self.env = Environment("Orders", dict(os.environ))
        super().setUp()

    def expected_factory_class(self) -> Any:
        return self.kinds[0]

    def expected_aggregate_recorder_class(self) -> Any:
        return self.kinds[1]

    def expected_application_recorder_class(self) -> Any:
        return self.kinds[2]

    def expected_tracking_recorder_class(self) -> Any:
        return self.kinds[3]

    def tracking_recorder_subclass(self) -> Any:
        return OWN_TRACKING[self.kinds[3]]

    def expected_process_recorder_class(self) -> Any:
        return self.kinds[4]


class OwnSQLiteTracking(sqlite.SQLiteTrackingRecorder): ...


class OwnPostgresTracking(postgres.PostgresTrackingRecorder): ...


class OwnMemoryTracking(popo.POPOTrackingRecorder): ...


OWN_TRACKING = {kind.__base__: kind for kind in (OwnSQLiteTracking, OwnPostgresTracking, OwnMemoryTracking)}


@pytest.mark.requirement("LEDGER-101")
class TestFactoryOnSQLite(Factory, OnSQLite, persistence_cases.InfrastructureFactoryTestCase[Any]):
    kinds = (
        SignedSQLiteFactory,
        sqlite.SQLiteAggregateRecorder,
        SignedSQLiteApplicationRecorder,
        sqlite.SQLiteTrackingRecorder,
        SignedSQLiteProcessRecorder,
    )


@pytest.mark.requirement("LEDGER-102")
class TestFactoryOnPostgres(Factory, OnPostgres, persistence_cases.InfrastructureFactoryTestCase[Any]):
    kinds = (
        SignedPostgresFactory,
        postgres.PostgresAggregateRecorder,
        SignedPostgresApplicationRecorder,
        postgres.PostgresTrackingRecorder,
        SignedPostgresProcessRecorder,
    )


class TestFactoryInMemory(Factory, InMemory, persistence_cases.InfrastructureFactoryTestCase[Any]):
    kinds = (
        SignedMemoryFactory,
        popo.POPOAggregateRecorder,
        SignedMemoryApplicationRecorder,
        popo.POPOTrackingRecorder,
        SignedMemoryProcessRecorder,
    )

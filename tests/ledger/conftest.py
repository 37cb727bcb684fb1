"""A home with its keys, and a real PostgreSQL: from a wheel, started once, with a schema of its own for each test."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened, create_home
from control_plane.proving.database import postgres
from tests.ledger.keyed import CATALOGUE


@pytest.fixture(scope="session")
def postgres_host() -> Iterator[Path]:
    """The folder with the server's socket."""
    with postgres() as server:
        yield Path(server.host)


@pytest.fixture
def schema() -> str:
    return f"test_{uuid.uuid4().hex}"


@pytest.fixture
def postgres_url(postgres_host: Path, schema: str) -> str:
    """The address of a log that nobody else has."""
    return f"postgresql://postgres@/postgres?host={postgres_host}&schema={schema}"


@pytest.fixture
def postgres_schema(postgres_host: Path, schema: str) -> None:
    """The schema itself, for what does not make its own."""
    import psycopg

    with psycopg.connect(f"postgresql://postgres@/postgres?host={postgres_host}", autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    create_home(home, CATALOGUE, Clock())
    return home


@pytest.fixture
def offline(home: Home, tmp_path: Path) -> Path:
    """The recovery key where it belongs: elsewhere."""
    return home.recovery_key.rename(tmp_path / "offline.key")


@pytest.fixture
def opened(home: Home) -> Iterator[Opened]:
    opened = Opened(home, CATALOGUE, Clock())
    yield opened
    opened.close()


@pytest.fixture
def open_ledger(home: Home) -> Iterator[Callable[[], Ledger]]:
    ledgers: list[Ledger] = []

    def open_one() -> Ledger:
        own = Opened(home, CATALOGUE, Clock())
        own.check()
        journal = Journal(home.journal, segments=2, segment_bytes=1 << 16)
        ledgers.append(Ledger(own.backend, journal, CATALOGUE, Clock(), threaded=False))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()

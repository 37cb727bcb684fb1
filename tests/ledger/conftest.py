"""A real PostgreSQL for the tests that need one: from a wheel, started once, with a schema of its own for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.proving.database import postgres


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

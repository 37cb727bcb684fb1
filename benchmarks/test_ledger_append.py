"""Signed and durable, against the same rows unsigned and against the library's own road; ratios within one run."""

import sqlite3
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from pytest_benchmark.fixture import BenchmarkFixture

from control_plane.ledger.notes import Signer
from control_plane.ledger.sealing import Authority
from control_plane.ledger.sqlite import SignedSQLiteApplicationRecorder, SignedSQLiteDatastore

BATCH, ROUNDS = 1000, 40
TOPIC = "router.result-recorded"
STATE = (
    b'{"v":1,"at":1732179600.25,"decision":"01JDAB00000000000000012345","arm":"anthropic/sonnet","success":true,'
    b'"latency_ms":1840.5,"cost_usd":0.021,"tokens_in":1200}'
)
WRITER = "w" * 32


class Signed:
    """The ledger's recorder."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(Signer("benchmark/ledger", Ed25519PrivateKey.generate()))
        self.datastore = SignedSQLiteDatastore(
            f"file:{folder}/signed.db", authority=authority, originator_id_type="text"
        )
        self._recorder = SignedSQLiteApplicationRecorder(self.datastore)
        self._recorder.create_table()
        self._stored = 0

    def append(self) -> None:
        self._recorder.insert_run(WRITER, self._stored + 1, [TOPIC] * BATCH, [STATE] * BATCH)
        self._stored += BATCH


class Raw:
    """The same rows and durability with nothing else: one `executemany` a transaction."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA wal_autocheckpoint = 4000",
            "CREATE TABLE stored_events (rowid INTEGER PRIMARY KEY, originator_id TEXT NOT NULL, "
            "originator_version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL, "
            "UNIQUE (originator_id, originator_version))",
        ):
            self._connection.execute(statement)
        self._stored = 0

    def append(self) -> None:
        numbers = range(self._stored + 1, self._stored + BATCH + 1)
        rows = [(number, WRITER, number, TOPIC, STATE) for number in numbers]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")
        self._stored += BATCH

    def close(self) -> None:
        self._connection.close()


class Counter(Aggregate):
    pass


class Stock:
    """The library's application: a thousand new aggregates in one call."""

    def __init__(self, folder: Path) -> None:
        self._application = Application[uuid.UUID](
            env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": f"{folder}/stock.db"}
        )

    def append(self) -> None:
        self._application.save(*[Counter() for _ in range(BATCH)])

    def close(self) -> None:
        self._application.close()


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    signed = Signed(tmp_path)
    yield signed
    signed.datastore.close()


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(ours: Callable[[], None], theirs: Callable[[], None], rounds: int) -> float:
    """How many times as fast as they are we are: the median of pairs, so that noise strikes both."""
    ours()
    theirs()
    return statistics.median(seconds(theirs) / seconds(ours) for _ in range(rounds))


@pytest.mark.requirement("LEDGER-126", "LEDGER-149")
def test_signed_append_against_raw_rows(signed: Signed, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    raw = Raw(tmp_path)
    found = ratio(signed.append, raw.append, ROUNDS)
    benchmark.extra_info["times as fast as executemany"] = found
    benchmark.pedantic(signed.append, rounds=ROUNDS, warmup_rounds=2)
    raw.close()
    assert found >= 0.6


@pytest.mark.requirement("LEDGER-127", "LEDGER-149")
def test_signed_append_against_the_stock_application(
    signed: Signed, tmp_path: Path, benchmark: BenchmarkFixture
) -> None:
    stock = Stock(tmp_path)
    found = ratio(signed.append, stock.append, 11)
    benchmark.extra_info["times as fast as Application.save"] = found
    benchmark.pedantic(stock.append, rounds=5)
    stock.close()
    assert found >= 6

"""The audit of a log in PostgreSQL: every tampering is named by position and reason, as on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.ledger import facts
from control_plane.ledger.audit import verify
from control_plane.ledger.events import Catalogue
from control_plane.ledger.opening import Opened, open_home
from tests.ledger.test_postgres_homes import tables

CATALOGUE = Catalogue(facts.EVENTS)


@pytest.fixture
def opened(postgres_url: str, tmp_path: Path) -> Iterator[Opened]:
    """A log of 601 events in several commits, which the witness has seen."""
    opened = open_home(postgres_url, tmp_path / "state", CATALOGUE, Clock())
    for stream in ("a", "b"):
        for first in (1, 101, 201):
            states = [b'{"n":%d}' % n for n in range(first, first + 100)]
            opened.backend.insert(stream, first, ["test.seen"] * 100, states)
    opened.sight()
    yield opened
    opened.close()


MOVED = "UPDATE stored_events SET notification_id = notification_id {} 1000000 WHERE notification_id {}"
TAMPERINGS: dict[str, tuple[list[str], int, str]] = {
    "state": (["UPDATE stored_events SET state = set_byte(state, 0, 90) WHERE notification_id = 300"], 300, "changed"),
    "topic": (["UPDATE stored_events SET topic = 'test.seem' WHERE notification_id = 7"], 7, "changed"),
    "stream": (["UPDATE stored_events SET originator_id = 'c' WHERE notification_id = 601"], 601, "changed"),
    "version": (["UPDATE stored_events SET originator_version = 900 WHERE notification_id = 256"], 256, "changed"),
    "deletion": (["DELETE FROM stored_events WHERE notification_id = 257"], 257, "missing"),
    "truncation": (["DELETE FROM stored_events WHERE notification_id > 500"], 501, "truncated"),
    "addition": (
        ["INSERT INTO stored_events SELECT 602, 'c', 1, topic, state FROM stored_events WHERE notification_id = 601"],
        602,
        "added",
    ),
    "swap": (
        [
            MOVED.format("+", "IN (20, 30)"),
            "UPDATE stored_events SET notification_id = 20 WHERE notification_id = 1000030",
            "UPDATE stored_events SET notification_id = 30 WHERE notification_id = 1000020",
        ],
        20,
        "reordered",
    ),
}


@pytest.mark.requirement("LEDGER-105", "LEDGER-106", "LEDGER-107", "LEDGER-108", "LEDGER-109")
@pytest.mark.parametrize(("statements", "position", "reason"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_named_by_position_and_reason(
    opened: Opened, postgres_url: str, statements: list[str], position: int, reason: str
) -> None:
    assert verify(opened.home).ok
    tables(postgres_url, *statements)
    verdict = verify(opened.home)
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (False, position, reason)


def test_dropped_tables_get_a_verdict_or_a_coded_error_never_a_pass(opened: Opened, postgres_url: str) -> None:
    tables(postgres_url, "DELETE FROM stored_events_tiles")
    assert not verify(opened.home).ok
    tables(postgres_url, "DELETE FROM stored_events_checkpoints")
    assert not verify(opened.home).ok

"""Facts are for ever: stable names, versions that are upcast, an allow-list, and time that somebody chose."""

import ast
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from control_plane.clock import VirtualClock, new_id
from control_plane.errors import BadEvent, UnknownTopic
from control_plane.ledger.events import Catalogue, Event, version_of
from control_plane.ledger.facts import LedgerCreated
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened, create_home
from tests.ledger.small import CATALOGUE, Noted, begin, opened

PACKAGE = Path(__file__).parents[2] / "control_plane"


class Priced(Event, frozen=True, kw_only=True, tag=3):
    """Version 1 had `cost` in cents, version 2 `cost_usd`, version 3 knows the currency."""

    TOPIC: ClassVar[str] = "shop.priced"
    amount: float
    currency: str

    @classmethod
    def upcast_v1_v2(cls, state: dict[str, Any]) -> None:
        state["cost_usd"] = state.pop("cost") / 100

    @classmethod
    def upcast_v2_v3(cls, state: dict[str, Any]) -> None:
        state["amount"], state["currency"] = state.pop("cost_usd"), "USD"


SHOP = Catalogue([Priced])


@pytest.mark.requirement("LEDGER-20", "LEDGER-21")
def test_an_event_is_stored_under_its_topic_with_its_version():
    assert SHOP.encode(Priced(at=1.5, amount=2.0, currency="EUR")) == b'{"v":3,"at":1.5,"amount":2.0,"currency":"EUR"}'
    assert version_of(Priced) == 3


@pytest.mark.requirement("LEDGER-20")
def test_a_class_may_be_renamed_its_events_stay():
    class Remarked(Event, frozen=True, kw_only=True):
        TOPIC: ClassVar[str] = Noted.TOPIC
        text: str

    stored = CATALOGUE.encode(Noted(at=1, text="x"))
    assert Catalogue([Remarked]).decode(Noted.TOPIC, stored) == Remarked(at=1, text="x")


@pytest.mark.requirement("LEDGER-22")
@pytest.mark.parametrize("stored", [b'{"v":1,"at":1.0,"cost":250}', b'{"v":2,"at":1.0,"cost_usd":2.5}'])
def test_an_old_version_is_upcast_step_by_step(stored):
    assert SHOP.decode("shop.priced", stored) == Priced(at=1.0, amount=2.5, currency="USD")


@pytest.mark.parametrize(
    "stored",
    [b'{"v":4,"at":1.0}', b'{"v":1,"at":1.0}', b'{"at":1.0}', b'{"v":"1"}', b"[]", b"1", b"not json", b"", b"\xff"],
)
def test_what_cannot_be_read_is_a_coded_error(stored):
    with pytest.raises(BadEvent) as refused:
        SHOP.decode("shop.priced", stored)
    assert refused.value.code == "ledger.bad-event"


@pytest.mark.requirement("LEDGER-23")
def test_a_topic_that_is_not_listed_is_refused_before_anything_is_imported():
    before = set(sys.modules)
    with pytest.raises(UnknownTopic):
        SHOP.decode("this:Event", b"{}")
    with pytest.raises(UnknownTopic):
        SHOP.decode("antigravity:geohash", b"{}")
    with pytest.raises(UnknownTopic):
        SHOP.encode(Noted(at=1, text="x"))
    assert set(sys.modules) == before


def test_two_events_never_share_a_topic():
    with pytest.raises(BadEvent):
        Catalogue([Noted, Noted])
    with pytest.raises(BadEvent):
        Catalogue([Event])


@pytest.mark.requirement("LEDGER-24", "LEDGER-25")
def test_only_the_clock_reads_the_time_and_ids_are_made_from_it(tmp_path: Path):
    asking = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "uuid.uuid4", "uuid.uuid1"}
    for path in PACKAGE.rglob("*.py"):
        # A proof times itself; it writes no events.
        if path.name != "clock.py" and "proving" not in path.parts:
            calls = {
                ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            }
            assert not {call for call in calls if call in asking or call.endswith(("datetime.now", ".utcnow"))}, path
    clock = VirtualClock()
    home = Home(tmp_path / "home")
    create_home(home, CATALOGUE, clock)
    held = Opened(home, CATALOGUE, clock)
    first = CATALOGUE.decode(*held.backend.rows(0, 1)[0][3:])
    held.close()
    assert isinstance(first, LedgerCreated)
    assert first.at == clock.now()
    assert new_id(clock.now())[:10] == first.ledger[:10]
    assert new_id(1.0) < new_id(2.0)


@pytest.mark.requirement("LEDGER-94")
def test_a_clock_that_jumps_back_harms_nothing(tmp_path: Path):
    home = begin(tmp_path / "home")
    with opened(home) as held:
        ledger = Ledger(held.backend, Journal(home.journal), CATALOGUE, VirtualClock(), threaded=False)
        for at in (5e9, 1.0, -7.0, 5e9):
            ledger.append("notes", [Noted(at=at, text=str(at))])
        read = [recorded.event.at for recorded in ledger.read(1)]
        positions = [recorded.position for recorded in ledger.read()]
        ledger.close()
    assert read == [5e9, 1.0, -7.0, 5e9]
    assert positions == [1, 2, 3, 4, 5]


@pytest.mark.requirement("LEDGER-97")
def test_a_version_that_does_not_know_an_event_writes_on_and_reads_past_it(tmp_path: Path):
    """Side by side within a minor series: what the newer one adds, the older one signs over and passes by."""
    home = begin(tmp_path / "home")
    newer = Catalogue([*CATALOGUE, Priced])
    held = Opened(home, newer, VirtualClock())
    held.backend.insert("shop", 1, [Priced.TOPIC], [newer.encode(Priced(at=1, amount=1, currency="USD"))])
    held.close()
    with opened(home) as older:
        older.check()
        older.backend.insert("notes", 1, [Noted.TOPIC], [CATALOGUE.encode(Noted(at=1, text="older"))])
        topics = [row[3] for row in older.backend.rows(0, 10)]
    again = Opened(home, newer, VirtualClock())
    again.check()
    again.close()
    assert topics[1:] == ["shop.priced", "router.noted"]

"""What was released goes on working, or was announced for half a year: the policy of docs/upgrades.md, as a check."""

import copy
import json
from datetime import date

import pytest

from tests.documented import DOCS
from tests.released import FILE, broken, ended, surface

PAGE = (DOCS / "upgrades.md").read_text(encoding="utf-8")
ROUTE = "route POST /api/advise"


@pytest.fixture(scope="module")
def now():
    return surface()


@pytest.mark.requirement("SHIP-28", "BRIDGEOPS-101")
def test_what_was_released_is_still_there_or_had_its_time(now):
    over, hasty = ended(PAGE, date.today())  # noqa: DTZ011 - the table speaks of days
    assert hasty == []
    assert [fault for fault in broken(json.loads(FILE.read_text(encoding="utf-8")), now) if fault not in over] == []


def test_nothing_is_broken_by_what_is_added(now):
    more = copy.deepcopy(now)
    more["names"].append("command new")
    more["events"]["router.advice-given"]["fields"]["remark"] = ["str", False]
    more["events"]["router.new"] = {"version": 1, "fields": {}}
    assert broken(now, more) == []


@pytest.mark.requirement("BRIDGEOPS-101")
def test_each_kind_of_break_is_found(now):
    def breaks(change):
        later = copy.deepcopy(now)
        change(later, later["events"]["router.advice-given"])
        return broken(now, later)

    assert breaks(lambda later, event: later["names"].remove(ROUTE)) == [ROUTE]
    assert breaks(lambda later, event: later["events"].pop("flag.flipped")) == ["event flag.flipped"]
    shape = ["event router.advice-given has another shape under the same version"]
    assert breaks(lambda later, event: event["fields"].pop("arm")) == shape
    assert breaks(lambda later, event: event["fields"].update(arm=["int", True])) == shape
    assert breaks(lambda later, event: event["fields"].update(more=["int", True])) == shape
    assert breaks(lambda later, event: event.update(version=99)) == [
        "event router.advice-given cannot be read in its older version"
    ]


@pytest.mark.requirement("BRIDGEOPS-101")
def test_the_window_is_half_a_year_and_counts_days():
    table = "| `{}` | 2027-01-01 | {} | `other` |\n"
    assert ended(table.format(ROUTE, "2027-06-30"), date(2027, 6, 29)) == (set(), [])
    assert ended(table.format(ROUTE, "2027-06-30"), date(2027, 6, 30)) == ({ROUTE}, [])
    assert ended(table.format(ROUTE, "2027-06-29"), date(2028, 1, 1)) == ({ROUTE}, [ROUTE])
    assert "at least 180 days later" in PAGE

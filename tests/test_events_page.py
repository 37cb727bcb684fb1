"""What is stored for ever is written down: a test fails on an event that the page does not tell."""

from pathlib import Path

from control_plane.pages import events_page
from control_plane.rooms import CATALOGUE

PAGE = Path(__file__).parent.parent / "docs" / "events.md"


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text() == events_page(), "run `make pages`"


def test_every_event_says_what_it_is_and_is_on_the_page():
    page = events_page()
    for kind in CATALOGUE:
        assert kind.__doc__, kind
        assert f"## `{kind.TOPIC}`" in page


def test_topics_begin_with_their_domain():
    assert {kind.TOPIC.partition(".")[0] for kind in CATALOGUE} <= {
        "ledger", "router", "learning", "policy", "flag", "milestone", "plugin", "evidence", "review", "memory",
        "guard", "bridge", "runner", "dogfood", "access", "turns",
    }  # fmt: skip

"""Bars of the dashboard: a figure says what its events say, and no page of events leaves one out."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from control_plane import Arm, ControlPlane, Task
from control_plane.dashboard.browsing import Filter, Page, browse
from control_plane.dashboard.figures import ArmFigures, figures
from control_plane.dashboard.panels import Looker
from control_plane.dashboard.recent import Recent, Result
from control_plane.ledger.ledger import Ledger
from control_plane.proving import HandClock, flags
from control_plane.router.events import ResultRecorded
from tests.bars.frame import Bar

Look = Callable[[ControlPlane], list[ArmFigures]]
Browse = Callable[[Ledger, Filter, int | None, int], Page]
WINDOW = 3_600


class Seen(NamedTuple):
    plane: ControlPlane
    clock: HandClock
    by: Callable[..., object]

    def close(self) -> None:
        self.plane.close()


def opened(folder: Path, by: Callable[..., object]) -> Seen:
    clock = HandClock()
    plane = ControlPlane.open(
        folder / "home", catalogue=[Arm("acme/one"), Arm("acme/two")], clock=clock, flags=flags(), background=False
    )
    return Seen(plane, clock, by)


def check_a_figure_says_what_its_events_say(seen: Seen) -> None:
    """Old results lie outside the window, a repeat counts once, a correction replaces."""
    plane = seen.plane
    for number in range(12):
        if number == 6:
            seen.clock.pass_by(2 * WINDOW)
        advice = plane.advise(Task(type="code.fix", candidates=("acme/one",)))
        for success in (True, True, number % 3 == 0):
            plane.record_result(advice.decision_id, success=success, latency_ms=100.0 * (number + 1), cost_usd=0.5)
        plane.flush()
    told = {one.arm: one for one in seen.by(plane)}  # type: ignore[attr-defined]
    one = told["acme/one"]
    assert (one.given, one.results, one.judged, one.successes) == (6, 6, 6, 2)
    assert (one.share, one.cost, one.p50, one.p99) == (1.0, 3.0, 900.0, 1200.0)
    assert one.low is not None
    assert one.high is not None
    assert 0.0 < one.low < 2 / 6 < one.high < 1.0
    assert sum(one.line.count) == one.results
    assert (told["acme/two"].results, told["acme/two"].low) == (0, None)


def check_no_page_leaves_an_event_out(seen: Seen) -> None:
    for number in range(25):
        seen.plane.review.add("guard-hit", str(number))
    for limit in (1, 4, 25):
        found, before = [], None
        while True:
            page: Page = seen.by(seen.plane.ledger, Filter(("review.",)), before, limit)  # type: ignore[assignment]
            found += [msgspec.json.decode(one.fact)["evidence"] for one in page.events]
            before = page.before
            if before is None or len(found) > 25:
                break
        assert found == [str(number) for number in reversed(range(25))], limit


def looked(plane: ControlPlane) -> list[ArmFigures]:
    return Looker(plane).look(WINDOW).arms


def without_a_window(plane: ControlPlane) -> list[ArmFigures]:
    recent, now = Recent(plane.ledger), plane.ledger.clock.now()
    recent.catch_up()
    return figures(("acme/one", "acme/two"), list(recent.results.values()), list(recent.given), now - WINDOW, now)


def event_by_event(plane: ControlPlane) -> list[ArmFigures]:
    """Counts each event as a run, so a repeat and a correction count again."""
    now = plane.ledger.clock.now()
    events = [found for found in plane.ledger.read(0, 10_000) if isinstance(found.event, ResultRecorded)]
    results = [
        Result(found.position, found.event.at, found.event.arm, found.event.success, found.event.latency_ms, 0.5)
        for found in events
        if found.event.at >= now - WINDOW
    ]
    recent = Recent(plane.ledger)
    recent.catch_up()
    given = [one for one in recent.given if one.at >= now - WINDOW]
    return figures(("acme/one", "acme/two"), results, given, now - WINDOW, now)


def one_too_far(ledger: Ledger, wanted: Filter, before: int | None, limit: int) -> Page:
    page = browse(ledger, wanted, before, limit)
    return Page(page.events, None if page.before is None else page.before - 1, page.looked_at)


BARS = [
    Bar(
        check_a_figure_says_what_its_events_say,
        real=lambda folder: opened(folder, looked),
        null=lambda folder: opened(folder, lambda plane: figures(("acme/one", "acme/two"), [], [], 0.0, 1.0)),
        planted={
            "forgets the window": lambda folder: opened(folder, without_a_window),
            "counts repeats and corrections": lambda folder: opened(folder, event_by_event),
        },
    ),
    Bar(
        check_no_page_leaves_an_event_out,
        real=lambda folder: opened(folder, browse),
        null=lambda folder: opened(folder, lambda *_: Page((), None, 0)),
        planted={"goes on one too far": lambda folder: opened(folder, one_too_far)},
    ),
]

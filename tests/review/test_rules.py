"""What the queue's rules say, and what they refuse; time is a number that the test chooses."""

import msgspec
import pytest

from control_plane.review import rules
from control_plane.review.ages import age_slo, throughput
from control_plane.review.events import AgeAlertCleared, AgeAlertRaised, Feedback, Verdict, WeekReported
from control_plane.review.state import DAY, HOUR, REMEMBERED, WEEK, Queue, fold
from control_plane.review.weekly import markdown, report, week_of

MONDAY = 1_800_230_400.0  # 2027-01-18, 00:00 UTC


class Desk:
    """The rules and the fold, without a ledger: what the one answers, the other takes."""

    def __init__(self) -> None:
        self.queue, self.now, self.events = Queue(), MONDAY, []

    def take(self, events) -> None:
        for event in events:
            self.events.append(event)
            fold(self.queue, event)

    def add(self, item: str, kind: str = "guard", evidence: str = "") -> None:
        self.take(rules.queue_item(self.queue, item, kind, evidence, self.now))

    def resolve(self, item: str, feedback: Feedback | None = None, verdict: Verdict = Verdict.APPROVED) -> None:
        self.take(rules.resolve_item(self.queue, item, verdict, feedback, "ana", "", self.now))

    def watch(self) -> None:
        self.take([*rules.watch_ages(self.queue, 24.0, self.now), *rules.report_week(self.queue, self.now)])

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_item_waits_until_it_is_decided_and_is_queued_once(desk: Desk) -> None:
    desk.add("i1")
    with pytest.raises(rules.AlreadyQueued):
        desk.add("i1")
    desk.resolve("i1")
    assert not desk.queue.waiting
    for refused in (lambda: desk.add("i1"), lambda: desk.resolve("i1"), lambda: desk.resolve("ghost")):
        with pytest.raises((rules.AlreadyQueued, rules.AlreadyResolved, rules.NotWaiting)):
            refused()
    assert len(desk.events) == 2


@pytest.mark.parametrize("text", ["", "  ", "x" * 101, "two\nlines", "\x1b[31mred"])
def test_names_are_plain_lines_of_bounded_length(desk: Desk, text: str) -> None:
    for item, kind in ((text, "guard"), ("i1", text)):
        with pytest.raises(rules.BadItem):
            desk.add(item, kind)
    with pytest.raises(rules.BadItem):
        desk.add("i1", evidence="x" * 1001)
    assert not desk.events


@pytest.mark.requirement("FG-10-2")
def test_p95_is_an_age_that_some_item_has(desk: Desk) -> None:
    for hour in range(20):
        desk.now = MONDAY + hour * HOUR
        desk.add(f"i{hour}")
    slo = age_slo(desk.queue, 24.0, MONDAY + 20 * HOUR)
    assert (slo.p50_hours, slo.p95_hours, slo.max_hours, slo.met) == (10.0, 19.0, 20.0, True)
    assert not age_slo(desk.queue, 24.0, MONDAY + 25 * HOUR).met


@pytest.mark.requirement("FG-10-2", "GOV-28")
def test_each_crossing_alerts_once_and_its_end_is_said_once(desk: Desk) -> None:
    for number in range(3):
        desk.add(f"i{number}")
        desk.now += 23.9 * HOUR
        desk.watch()
        assert desk.count(AgeAlertRaised) == number
        desk.now += 0.1 * HOUR
        for _ in range(3):
            desk.watch()
        assert desk.count(AgeAlertRaised) == number + 1
        desk.resolve(f"i{number}")
        for _ in range(3):
            desk.watch()
        assert desk.count(AgeAlertCleared) == number + 1


@pytest.mark.requirement("FG-10-2", "GOV-28")
def test_throughput_counts_what_came_due_in_the_week(desk: Desk) -> None:
    for number in range(20):
        desk.add(f"i{number}")
    desk.now += 2 * HOUR
    for number in range(18):
        desk.resolve(f"i{number}")
    desk.now = MONDAY + 23 * HOUR
    young = throughput(desk.queue, 24.0, desk.now)
    assert (young.queued, young.resolved, young.due, young.on_time, young.met) == (20, 18, 18, 1.0, True)
    desk.now = MONDAY + 30 * HOUR
    desk.resolve("i18")
    late = throughput(desk.queue, 24.0, desk.now)
    assert (late.due, late.on_time, late.met) == (20, 0.9, False)
    assert (late.turnaround_p50_hours, late.turnaround_p95_hours) == (2.0, 30.0)
    assert throughput(desk.queue, 24.0, MONDAY + 2 * WEEK).due == 0


@pytest.mark.requirement("FG-10-3", "FG-10-PASS-2", "GOV-29")
def test_the_weekly_report_counts_false_positives_and_negatives_by_kind(desk: Desk) -> None:
    judged = [Feedback.TRUE_POSITIVE] * 3 + [Feedback.FALSE_POSITIVE] + [Feedback.FALSE_NEGATIVE] * 2 + [None]
    for number, feedback in enumerate(judged):
        desk.now = MONDAY + number * HOUR
        desk.add(f"i{number}", "guard" if number else "eval|gate")
        desk.resolve(f"i{number}", feedback, Verdict.REJECTED if number == 6 else Verdict.APPROVED)
    desk.now = MONDAY + WEEK
    desk.add("next week")
    found = report(desk.queue, 1, desk.now)
    assert (found.begin, found.end, found.whole) == (MONDAY, MONDAY + WEEK, True)
    assert found.all.tally.queued == 7
    assert (found.all.tally.approved, found.all.tally.rejected, found.all.tally.unjudged) == (6, 1, 1)
    assert (found.all.precision, found.all.recall) == (0.75, 0.6)
    text = markdown(found)
    assert "# Reviews from 2027-01-18 to 2027-01-24\n" in text
    assert "| eval/gate | 1 | 1 | 0 | 1 | 0 | 0 | 0 | 100% | 100% |" in text
    assert "| all | 7 | 6 | 1 | 3 | 1 | 2 | 1 | 75% | 60% |" in text


@pytest.mark.requirement("FG-10-3")
def test_feedback_may_come_later_and_may_change(desk: Desk) -> None:
    desk.add("i1")
    desk.resolve("i1")
    for said in (Feedback.FALSE_POSITIVE, Feedback.FALSE_POSITIVE, Feedback.TRUE_POSITIVE):
        desk.take(rules.give_feedback(desk.queue, "i1", said, "ben", desk.now))
    assert desk.queue.resolved["i1"].feedback is Feedback.TRUE_POSITIVE
    assert len(desk.events) == 4
    with pytest.raises(rules.NotWaiting):
        rules.give_feedback(desk.queue, "ghost", Feedback.TRUE_POSITIVE, "ben", desk.now)


@pytest.mark.requirement("FG-10-PASS-2", "GOV-29")
def test_each_whole_week_is_reported_once(desk: Desk) -> None:
    desk.watch()
    assert desk.count(WeekReported) == 0
    desk.add("i1")
    for hour in range(24 * 15):
        desk.now = MONDAY + hour * HOUR
        desk.watch()
    assert [event.begin for event in desk.events if isinstance(event, WeekReported)] == [
        MONDAY - WEEK, MONDAY, MONDAY + WEEK,
    ]  # fmt: skip


def test_weeks_begin_on_mondays() -> None:
    assert week_of(MONDAY) == week_of(MONDAY + WEEK - 1) == (MONDAY, MONDAY + WEEK)


def test_what_was_resolved_long_ago_is_forgotten_and_counts_stay(desk: Desk) -> None:
    for number in range(100):
        desk.now = MONDAY + number * DAY
        desk.add(f"i{number}")
        desk.resolve(f"i{number}")
    assert len(desk.queue.resolved) == REMEMBERED / DAY + 1
    assert desk.queue.counts == {"approved": 100}


def test_a_clock_that_went_back_makes_no_item_leave_before_it_came(desk: Desk) -> None:
    desk.add("i1")
    desk.now -= HOUR
    desk.resolve("i1")
    assert desk.queue.resolved["i1"].at == desk.queue.resolved["i1"].since


@pytest.mark.requirement("GOV-60")
def test_a_snapshot_is_the_encoding_of_the_state(desk: Desk) -> None:
    desk.add("i1")
    desk.add("i2")
    desk.resolve("i1", Feedback.FALSE_NEGATIVE)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(desk.queue), type=Queue) == desk.queue

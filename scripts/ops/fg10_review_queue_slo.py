"""FG-10: a queue of reviews that grows too old says so once, is worked off, and its rules are reported on each week.

usage: python scripts/ops/fg10_review_queue_slo.py [--quick] [--json] [--metrics DIR]
"""

import random
import sys
from collections import Counter
from collections.abc import Sequence

import msgspec

from control_plane import Arm, ControlPlane
from control_plane.evidence import Metrics, Rollback, at_least, at_most, equal
from control_plane.flags import Flags
from control_plane.proving import Findings, HandClock, flags, run_proof, temporary_home
from control_plane.review.ages import quantile
from control_plane.review.events import AgeAlertCleared, AgeAlertRaised, WeekReported
from control_plane.review.state import HOUR, WEEK
from control_plane.review.weekly import markdown

FLAG = "OPENCODE_REVIEW_SLO"
SCRIPT = "scripts/ops/fg10_review_queue_slo.py"
MONDAY = 1_800_230_400.0
TARGET_H = 24.0
# Below the target, where a criterion can only say at most.
BELOW_H = 23.99
# An item comes every hour or so, night and day; people look from nine to five on weekdays, at the newest first.
ARRIVALS, AT_ONCE, ON_CALL = 1.0, 3, 40
KINDS = {"guard": 0.3, "eval": 0.1, "learning": 0.2}


class Course(msgspec.Struct):
    """Some weeks of a queue, hour by hour."""

    items: int = 0
    ages: list[float] = []
    p95s: list[float] = []
    hours_over: int = 0
    longest_over: int = 0
    crossings: int = 0
    alerts: int = 0
    clears: int = 0
    weeks: int = 0
    reported: int = 0
    wrong_counts: int = 0
    disagreements: int = 0
    p95_at_end: float = 0.0
    report: str = ""

    def metrics(self, of: str) -> Metrics:
        ages = sorted(self.ages)
        told = msgspec.structs.asdict(self)
        figures = {name: told[name] for name in told if name not in ("ages", "p95s", "report", "items")}
        return Metrics(
            of=of,
            unit="h",
            p50=quantile(ages, 0.5),
            p95=quantile(ages, 0.95),
            p99=quantile(ages, 0.99),
            accepted=self.items,
            rejected=0,
            errors=self.wrong_counts + self.disagreements,
            figures=figures,
        )


class Desk:
    """The people, who follow a seed, and what they know to be true of each rule."""

    def __init__(self, plane: ControlPlane, clock: HandClock, seed: int) -> None:
        self.review, self.clock = plane.review, clock
        self.truth: Counter[tuple[int, str, str]] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 - traffic, again and again

    def come(self) -> int:
        count = sum(self._chance.random() < ARRIVALS / 4 for _ in range(4))
        for _ in range(count):
            self.review.add(self._chance.choice(list(KINDS)), f"position {self._chance.randrange(10**6)}")
        return count

    def work(self, *, alerted: bool) -> list[float]:
        """On call when there is an alert: the oldest first, at any hour. Otherwise the newest, in office hours."""
        hour, day = divmod((self.clock.now() - MONDAY) / HOUR, 24)[1], int((self.clock.now() - MONDAY) // (24 * HOUR))
        waiting = self.review.items("pending", limit=10_000)
        chosen = waiting[:ON_CALL] if alerted else waiting[::-1][:AT_ONCE] if day % 7 < 5 and 9 <= hour < 17 else []
        for item in chosen:
            wrong = self._chance.random() < KINDS[item.kind]
            missed = not wrong and self._chance.random() < 0.1
            word = "false-positive" if wrong else "false-negative" if missed else "true-positive"
            self.review.resolve(item.id, "rejected" if wrong else "approved", actor="on-call", feedback=word)
            self.truth[day // 7, item.kind, word] += 1
        return [item.age_hours for item in chosen]


def course(told: Flags, weeks: int, *, watched: bool = True) -> Course:
    clock, found = HandClock(MONDAY), Course()
    with temporary_home() as home:
        one, other = (
            ControlPlane.open(home, catalogue=[Arm("acme/only")], clock=clock, flags=told, background=False)
            for _ in range(2)
        )
        with one, other:
            desk, over = Desk(one, clock, 7), 0
            for _ in range(int(weeks * WEEK / HOUR) + 1):
                found.items += desk.come()
                other.folder.catch_up()
                # Two processes look after the queue; an alert is still one.
                for plane in (one, other) if watched else ():
                    plane.review.watch()
                status = one.review.status()
                over = 0 if status.slo.met else over + 1
                found.crossings += over == 1
                found.hours_over += over > 0
                found.p95s.append(status.slo.p95_hours)
                found.longest_over = max(found.longest_over, over)
                found.disagreements += status.slo != other.review.status().slo
                found.ages += desk.work(alerted=status.alerted)
                clock.pass_by(HOUR)
            conclude(one, desk, found, weeks)
    return found


def conclude(plane: ControlPlane, desk: Desk, found: Course, weeks: int) -> None:
    """What the log says in the end, beside what the people know."""
    events = [recorded.event for recorded in plane.ledger.read(limit=100_000)]
    found.alerts = sum(isinstance(event, AgeAlertRaised) for event in events)
    found.clears = sum(isinstance(event, AgeAlertCleared) for event in events)
    reports = [event for event in events if isinstance(event, WeekReported) and event.begin >= MONDAY]
    found.weeks, found.reported = weeks, len(reports)
    for event in reports:
        week = int((event.begin - MONDAY) // WEEK)
        for tally in event.tallies:
            told = (tally.true_positive, tally.false_positive, tally.false_negative)
            words = ("true-positive", "false-positive", "false-negative")
            found.wrong_counts += told != tuple(desk.truth[week, tally.kind, word] for word in words)
    found.p95_at_end = plane.review.status().slo.p95_hours
    found.report = markdown(plane.review.report(1))


def prove(quick: bool, fault: str = "") -> Findings:
    weeks = 1 if quick else 4
    off, on = flags(**{FLAG: "false"}), flags(**{FLAG: "true"})
    before = course(off, weeks)
    after = course(on, weeks, watched=fault != "nobody-watches")
    again = course(off, weeks)
    return Findings(
        before=before.metrics("age of a review when it was resolved, nobody alerted"),
        after=after.metrics("age of a review when it was resolved"),
        criteria=(
            at_least("p95 age of the queue in the end, hours, nobody alerted", before.p95_at_end, TARGET_H),
            at_most("p95 age of the queue, hours, in 95 of 100 hours", quantile(sorted(after.p95s), 0.95), BELOW_H),
            at_most("p95 age of the queue in the end, hours", after.p95_at_end, BELOW_H),
            # Who is called when the target is passed comes with the next look.
            at_most("p95 age at resolution, hours", quantile(sorted(after.ages), 0.95), TARGET_H + 1),
            at_most("longest time over the target, hours", after.longest_over, 1),
            at_least("crossings of the target", after.crossings, 1),
            equal("alerts for each crossing", after.alerts / after.crossings if after.crossings else None, 1.0),
            equal("weeks without a report", weeks - after.reported, 0),
            equal("counts of FP and FN that were wrong", after.wrong_counts, 0),
            equal("looks at which two processes disagreed", after.disagreements, 0),
        ),
        rollback=Rollback(
            switch=f"{FLAG}=false",
            validated=again.alerts == 0 and again.p95_at_end == before.p95_at_end >= TARGET_H,
            result=f"{again.alerts} alerts, {again.hours_over} hours over the target; "
            f"with the alert {after.alerts} and {after.hours_over}",
        ),
        files={"weekly-report.md": after.report.encode()},
    )


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="nobody-watches"` lets the queue grow old unseen, so that a test can see this proof fail."""
    return run_proof("FG-10", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

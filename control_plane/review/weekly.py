"""The weekly report: how often the rules that ask for a person were wrong, kind by kind."""

from collections import Counter
from datetime import UTC, datetime

import msgspec

from .events import Feedback, Tally, Verdict
from .state import DAY, WEEK, Queue

# The first Monday after the epoch, which was a Thursday.
_MONDAY = 4 * DAY
_FEEDBACK = {
    Feedback.TRUE_POSITIVE: "true_positive",
    Feedback.FALSE_POSITIVE: "false_positive",
    Feedback.FALSE_NEGATIVE: "false_negative",
    None: "unjudged",
}


class Row(msgspec.Struct, frozen=True):
    """One kind; `precision` = what was asked for rightly, `recall` = what was noticed. None where nobody judged."""

    tally: Tally
    precision: float | None
    recall: float | None


class Report(msgspec.Struct, frozen=True):
    begin: float
    end: float
    whole: bool
    kinds: tuple[Row, ...]
    all: Row


def week_of(now: float) -> tuple[float, float]:
    """The week that `now` is in, from Monday to Monday in UTC."""
    begin = now - (now - _MONDAY) % WEEK
    return begin, begin + WEEK


def tallies(queue: Queue, begin: float, end: float) -> tuple[Tally, ...]:
    found: dict[str, Counter[str]] = {}
    came = [(item.kind, item.since) for item in queue.waiting.values()]
    came += [(item.kind, item.since) for item in queue.resolved.values()]
    for kind, since in came:
        if begin <= since < end:
            found.setdefault(kind, Counter())["queued"] += 1
    for done in queue.resolved.values():
        if begin <= done.at < end:
            of_kind = found.setdefault(done.kind, Counter())
            of_kind["approved" if done.verdict is Verdict.APPROVED else "rejected"] += 1
            of_kind[_FEEDBACK[done.feedback]] += 1
    return tuple(Tally(kind, **found[kind]) for kind in sorted(found))


def report(queue: Queue, weeks_ago: int, now: float) -> Report:
    """The week so far, or one of those before it."""
    begin = week_of(now)[0] - weeks_ago * WEEK
    kinds = tallies(queue, begin, begin + WEEK)
    return Report(begin, begin + WEEK, weeks_ago > 0, tuple(map(_row, kinds)), _row(_together(kinds)))


def markdown(found: Report) -> str:
    whole = "" if found.whole else " (so far)"
    heads = "kind | queued | approved | rejected | true pos. | false pos. | false neg. | unjudged | precision | recall"
    rows = [_line(row) for row in (*found.kinds, found.all)]
    return "\n".join(
        [
            f"# Reviews from {_day(found.begin)} to {_day(found.end - DAY)}{whole}",
            "",
            f"| {heads} |",
            "|---" + "|---:" * 9 + "|",
            *rows,
            "",
        ]
    )


def _line(row: Row) -> str:
    kind, *figures = msgspec.structs.astuple(row.tally)
    shares = ("–" if share is None else f"{share:.0%}" for share in (row.precision, row.recall))
    # What stands in a table must not end its cell.
    return f"| {' | '.join([str(kind).replace('|', '/'), *map(str, figures), *shares])} |"


def _row(tally: Tally) -> Row:
    right = tally.true_positive
    return Row(tally, _share(right, tally.false_positive), _share(right, tally.false_negative))


def _share(right: int, wrong: int) -> float | None:
    return right / (right + wrong) if right + wrong else None


def _together(kinds: tuple[Tally, ...]) -> Tally:
    columns = zip(*(msgspec.structs.astuple(tally)[1:] for tally in kinds), strict=True)
    return Tally("all", *map(sum, columns))


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")

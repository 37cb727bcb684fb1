"""`ledger archive` moves the beginning of the log out of the database."""

import argparse
from typing import TYPE_CHECKING

from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, pairs

if TYPE_CHECKING:
    import datetime


@command(
    "ledger archive",
    "verify the log, then move its beginning into compressed bundles; every event stays within reach",
    "control-plane ledger archive --before 1000",
    "control-plane ledger archive --before 2026-01-31",
    arguments=[
        argument(
            "--before", required=True, metavar="POSITION|DATE", help="a position, or a day or time (UTC unless it says)"
        ),
        argument("--workers", type=int, default=1, metavar="N", help="processes that share the verification"),
    ],
)
def archive(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger.archive import archive_prefix
    from ..homes import reading, recovered

    before = boundary(arguments.before)
    if arguments.workers < 1:
        raise BadInput(f"--workers is {arguments.workers}", cure="name 1 or more")
    with reading(arguments) as opened:
        recovered(opened, out)
        progress = out.started("archived", "events")
        done = archive_prefix(opened, before, workers=arguments.workers, on_progress=progress)
    facts = {"through": done.through, "moved": done.moved, "compacted": done.compacted}
    moved = f"{done.moved:,} events" if done.moved else "nothing; whole bundles of 256 events move"
    out.answer(facts, pairs([("moved", moved), ("archived", f"positions up to {done.through:,}")]))
    return 0


def boundary(text: str) -> "int | datetime.datetime":
    """A position when it is a number, else a day or a time; without a zone it is UTC."""
    import datetime

    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    try:
        moment = datetime.datetime.fromisoformat(text)
        moment.timestamp()
    except (ValueError, OverflowError):
        raise BadInput(
            f"--before is {text[:80]!r}",
            why="it is neither a position nor a date",
            cure="for example 1000 or 2026-01-31",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)

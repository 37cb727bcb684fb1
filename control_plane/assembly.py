"""The parts that an open plane is made of: the ledger, its folds, and the work that recurs."""

from hashlib import blake2b

from .cadence import Poll
from .clock import Clock
from .declaring import secret_of
from .flags import Flags
from .governance.milestone_service import Milestones
from .ledger.archive import archive_due, archive_prefix
from .ledger.journal import SEGMENT_BYTES, Journal
from .ledger.ledger import Ledger
from .ledger.opening import Opened
from .projections.folding import Folder
from .projections.snapshots import Snapshots
from .review.service import Review
from .rooms import CATALOGUE, PROJECTIONS
from .watching import ARCHIVE_EVERY, OTHERS_EVERY, SNAPSHOT_EVERY, TOLD_EVERY, WITNESS_EVERY, follow_others

REVIEW_EVERY = 60.0
MILESTONES_EVERY = 1.0


def open_ledger(opened: Opened, flags: Flags, clock: Clock) -> Ledger:
    segments = max(2, (flags.journal_mb << 20) // SEGMENT_BYTES)
    return Ledger(
        opened.backend,
        Journal(opened.home.journal, segments=segments),
        CATALOGUE,
        clock,
        flush_interval=flags.flush_interval_ms / 1000.0,
        buffered=flags.buffered_stats and not flags.sync_io_fallback,
        threaded=not flags.sync_io_fallback,
    )


def fold(opened: Opened, ledger: Ledger) -> tuple[Folder, Snapshots]:
    """The newest snapshot that fits, then what the log has beyond it."""
    folder = Folder(ledger, PROJECTIONS)
    snapshots = Snapshots(opened.home.snapshots, blake2b(secret_of(opened.home), person=b"snapshots").digest())
    snapshots.load(folder, PROJECTIONS, ledger.root_at)
    folder.follow()
    return folder, snapshots


def review_queue(ledger: Ledger, folder: Folder, flags: Flags) -> Review:
    return Review(ledger, folder, slo=flags.review_slo)


def polls(opened: Opened, ledger: Ledger, folder: Folder, snapshots: Snapshots, flags: Flags) -> tuple[Poll, ...]:
    archive_at = flags.archive_at_mb << 20
    review = review_queue(ledger, folder, flags)

    def follow() -> None:
        follow_others(ledger.changed, folder.catch_up)

    def keep() -> None:
        snapshots.save(folder, ledger.root_at)

    milestones = Milestones(ledger, folder)

    def heed() -> None:
        milestones.react()

    def make_room() -> None:
        before = archive_due(opened, archive_at)
        if before is not None:
            archive_prefix(opened, before, workers=2)

    # PostgreSQL tells of a commit by itself, so looking often costs nothing.
    others = OTHERS_EVERY if opened.home.address is None else TOLD_EVERY
    return (
        Poll(name="follow-others", owner="projections", interval=others, run=follow, threaded=True),
        Poll(name="witness", owner="ledger", interval=WITNESS_EVERY, run=opened.sight, threaded=True),
        Poll(name="snapshot", owner="projections", interval=SNAPSHOT_EVERY, run=keep, threaded=True),
        Poll(name="archive", owner="ledger", interval=ARCHIVE_EVERY, run=make_room, threaded=True),
        Poll(name="review-age", owner="review", interval=REVIEW_EVERY, run=review.watch, threaded=True),
        Poll(name="milestones", owner="governance", interval=MILESTONES_EVERY, run=heed, threaded=True),
    )

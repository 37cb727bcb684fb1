"""The parts that an open plane is made of: the ledger, its folds, and the work that recurs."""

import os
import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256
from typing import Any

import msgspec

from .amounts import check_amounts
from .cadence import Poll
from .clock import Clock
from .declaring import declare, identity, secret_of, surroundings
from .errors import BadInput
from .flags import Flags
from .governance.book import Book, brake
from .governance.document import PolicyInvalid, from_canonical
from .governance.live import LiveFlags
from .governance.milestone_service import Milestones
from .governance.projection import POLICIES
from .governance.rules import in_force
from .learning.projection import LEARNING
from .learning.teaching import Taught
from .ledger.archive import archive_due, archive_prefix
from .ledger.backend import Row
from .ledger.journal import SEGMENT_BYTES, Journal
from .ledger.ledger import Ledger
from .ledger.opening import Opened, open_home
from .ledger.turnstile import Turns
from .memory.projection import INDEXED, changes
from .memory.service import Memory
from .naming import check_name
from .projections.folding import CHUNK, Folder
from .projections.search import TextIndex
from .projections.snapshots import Snapshots
from .review.service import Review
from .rooms import CATALOGUE, PROJECTIONS
from .router.catalogue import Settings
from .router.projection import ROUTER
from .router.service import Router
from .router.strategies import Strategy
from .router.terms import Arms, Policy
from .watching import ARCHIVE_EVERY, OTHERS_EVERY, SNAPSHOT_EVERY, WITNESS_EVERY, Follower, follow_others

REVIEW_EVERY, MEMORY_EVERY, QUALITY_EVERY = 60.0, 30.0, 3600.0
MILESTONES_EVERY = 1.0


def open_named(home: str | os.PathLike[str] | None, state_dir: str | os.PathLike[str] | None, clock: Clock) -> Opened:
    check_name(home or os.environ.get("CONTROL_PLANE_HOME"))
    return open_home(home, state_dir, CATALOGUE, clock)


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
        turns=Turns(opened.home.deciding),
    )


class _Stored:
    """What a folder reads before there is a ledger: how that is opened depends on flips that the log holds."""

    def __init__(self, opened: Opened) -> None:
        self.catalogue, self._backend = opened.catalogue, opened.backend

    def rows(self, after: int = 0, limit: int = CHUNK) -> list[Row]:
        return self._backend.rows(after, limit)

    def listen(self, listener: Callable[[Sequence[Row]], None]) -> None:
        """Nobody commits here yet."""


def fold(opened: Opened) -> tuple[Folder, Snapshots]:
    """The newest snapshot that fits, then what the log has beyond it."""
    folder = Folder(_Stored(opened), PROJECTIONS)
    snapshots = Snapshots(opened.home.snapshots, blake2b(secret_of(opened.home), person=b"snapshots").digest())
    snapshots.load(folder, PROJECTIONS, opened.root_at)
    folder.catch_up()
    return folder, snapshots


def live_flags(told: Flags | None, folder: Folder) -> LiveFlags:
    return LiveFlags(told, os.environ, lambda: folder.state(POLICIES).flips)


def book_of(opened: Opened, ledger: Ledger, folder: Folder, flags: LiveFlags) -> Book:
    return Book(ledger, folder, opened.authority, flags.under)


def policy_in_force(folder: Folder, flags: Flags) -> Policy | None:
    """The router's policy of what is enforced, or for its share of the processes of a canary."""
    state = folder.state(POLICIES)
    seed = f"canary:{flags.replay_seed}" if flags.replay_seed else secrets.token_hex(8)
    draw = int.from_bytes(sha256(seed.encode()).digest()[:8]) / 2**64
    name = in_force(state, brake(flags), draw)
    return router_policy(from_canonical(state.policies[name].document).router) if name is not None else None


def policy_of(told: Policy | None, folder: Folder, flags: Flags, settings: Settings | None) -> Policy:
    """As the program says, else what is in force, else the project's own, else the default."""
    if told is not None:
        check_amounts(msgspec.to_builtins(told), BadInput)
    return told or policy_in_force(folder, flags) or (settings.policy if settings is not None else Policy())


def router_policy(changes: dict[str, Any]) -> Policy:
    """The router's policy with these changes to its defaults; a word that it does not know is refused."""
    try:
        policy = msgspec.convert(changes, Policy)
    except msgspec.ValidationError as fault:
        raise PolicyInvalid("[router] cannot be read", why=str(fault), cure="see docs/router-choice.md") from None
    unknown = _unknown(changes, msgspec.to_builtins(policy))
    if unknown:
        raise PolicyInvalid(f"[router] has no {unknown}", cure="see docs/router-choice.md")
    return policy


def router_of(
    opened: Opened, ledger: Ledger, folder: Folder, arms: Arms, policy: Policy, flags: Flags,
    strategies: Sequence[Strategy],
) -> Router:  # fmt: skip
    """What it decides by is declared in the log before it decides anything."""
    policy = msgspec.structs.replace(policy, tail_slo=policy.tail_slo and flags.tail_slo)
    clock = ledger.clock
    declared = declare(ledger, folder.state(ROUTER), arms, policy, surroundings(flags), clock)
    router = Router(
        folder.state(ROUTER), folder, ledger, arms, policy, clock, identity(opened.home, flags, declared),
        strategies=strategies, bypass=flags.strategy_bypass, invalidation=flags.learning_invalidation,
        capture=flags.replay_capture, teacher=Taught(folder.state(LEARNING)),
    )  # fmt: skip
    ledger.listen(lambda _: router.announce())
    return router


def check_router(changes: dict[str, Any]) -> None:
    router_policy(changes)


def _unknown(given: dict[str, Any], known: dict[str, Any]) -> str:
    for name, value in given.items():
        if name not in known:
            return name
        inner = _unknown(value, known[name]) if isinstance(value, dict) and isinstance(known[name], dict) else ""
        if inner:
            return f"{name}.{inner}"
    return ""


def review_queue(ledger: Ledger, folder: Folder, flags: Callable[[], Flags]) -> Review:
    return Review(ledger, folder, slo=lambda: flags().review_slo)


def memory_of(opened: Opened, ledger: Ledger, folder: Folder, flags: Callable[[], Flags]) -> Memory:
    def index() -> TextIndex:
        home = opened.home
        return TextIndex(home.memory, home.identity().ledger, catalogue=CATALOGUE, changes=changes, reads=INDEXED)

    return Memory(ledger, folder, index, metrics=lambda: flags().retrieval_metrics)


def follower(opened: Opened, folder: Folder) -> Follower | None:
    """PostgreSQL tells of a commit by itself; SQLite has to be looked at."""
    if opened.home.address is None:
        return None
    from .ledger.postgres_backend import PostgresBackend  # noqa: PLC0415 - an extra, and slow to import

    assert isinstance(opened.backend, PostgresBackend)
    return Follower(opened.backend.wait_for_change, opened.backend.end_waits, folder.catch_up)


def polls(
    opened: Opened, ledger: Ledger, folder: Folder, snapshots: Snapshots, flags: Callable[[], Flags]
) -> tuple[Poll, ...]:
    archive_at = flags().archive_at_mb << 20
    review = review_queue(ledger, folder, flags)
    memory = memory_of(opened, ledger, folder, flags)

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

    return (
        Poll(name="follow-others", owner="projections", interval=OTHERS_EVERY, run=follow, threaded=True),
        Poll(name="witness", owner="ledger", interval=WITNESS_EVERY, run=opened.sight, threaded=True),
        Poll(name="snapshot", owner="projections", interval=SNAPSHOT_EVERY, run=keep, threaded=True),
        Poll(name="archive", owner="ledger", interval=ARCHIVE_EVERY, run=make_room, threaded=True),
        Poll(name="review-age", owner="review", interval=REVIEW_EVERY, run=review.watch, threaded=True),
        Poll(name="memory-index", owner="memory", interval=MEMORY_EVERY, run=memory.follow, threaded=True),
        Poll(name="memory-quality", owner="memory", interval=QUALITY_EVERY, run=memory.track, threaded=True),
        Poll(name="milestones", owner="governance", interval=MILESTONES_EVERY, run=heed, threaded=True),
    )

"""The composition root: opens the ledger, folds it, hands each service what it needs, closes in order."""

import os
import platform
import secrets
import sys
from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from . import interpreter
from .cadence import Entry, Poll
from .clock import Clock
from .errors import LedgerClosed
from .flags import Flags, read_flags
from .ledger import facts
from .ledger.archive import archive_due, archive_prefix
from .ledger.events import Catalogue
from .ledger.home import Home
from .ledger.journal import SEGMENT_BYTES, Journal
from .ledger.keys import write_private
from .ledger.ledger import Ledger
from .ledger.opening import Opened, open_home
from .projections.folding import Folder
from .projections.snapshots import Snapshots
from .router import events as router_events
from .router.catalogue import choose_arms, read_settings
from .router.decision_id import parse
from .router.events import CatalogueDeclared
from .router.explain import Explanation
from .router.history import History
from .router.identity import Identity
from .router.projection import ROUTER
from .router.replay import Parity
from .router.service import Router
from .router.state import RouterState
from .router.stats import Stats, stats_of
from .router.strategies import STRATEGIES, Strategy
from .router.terms import Arm, Arms, Policy, Task
from .version import __version__
from .watching import ARCHIVE_EVERY, OTHERS_EVERY, SNAPSHOT_EVERY, TOLD_EVERY, WITNESS_EVERY, Watch, follow_others

CATALOGUE = Catalogue([*facts.EVENTS, *router_events.EVENTS])
PROJECTIONS = (ROUTER,)
# Flags that can change a decision are part of its surroundings.
_DECIDING = ("strategy_bypass", "tail_slo", "learning_invalidation", "replay_seed")


class ControlPlane:
    """One open ledger with all that stands on it. Make it with `ControlPlane.open`."""

    def __init__(
        self,
        opened: Opened,
        ledger: Ledger,
        folder: Folder,
        snapshots: Snapshots,
        router: Router,
        watch: Watch,
        *,
        example: bool,
        brisk: bool,
    ) -> None:
        self.ledger, self.folder = ledger, folder
        self.example, self._brisk = example, brisk
        self._opened, self._snapshots, self._router, self._watch = opened, snapshots, router, watch
        self._closed = False
        self.advise, self.record = router.advise, ledger.record

    @classmethod
    def open(
        cls,
        home: str | os.PathLike[str] | None = None,
        *,
        state_dir: str | os.PathLike[str] | None = None,
        catalogue: Iterable[Arm] | None = None,
        policy: Policy | None = None,
        clock: Clock | None = None,
        strategies: Sequence[Strategy] = STRATEGIES,
        flags: Flags | None = None,
        background: bool = True,
    ) -> "ControlPlane":
        """Open, or make, the control plane in `home`; `background=False` is for one command that ends at once."""
        clock, flags = clock or Clock(), flags or read_flags(os.environ, {})
        settings = read_settings(Path.cwd())
        arms, example = choose_arms(catalogue, settings)
        policy = policy or (settings.policy if settings is not None else Policy())
        policy = msgspec.structs.replace(policy, tail_slo=policy.tail_slo and flags.tail_slo)
        opened = open_home(home, state_dir, CATALOGUE, clock)
        ledger = None
        try:
            opened.check()
            opened.recover()
            ledger = _open_ledger(opened, flags, clock)
            folder, snapshots = _fold(opened, ledger)
            declared = _declare(ledger, folder.state(ROUTER), arms, policy, surroundings(flags), clock)
            router = Router(
                folder.state(ROUTER), folder, ledger, arms, policy, clock,
                _identity(opened.home, flags, declared), strategies=strategies, bypass=flags.strategy_bypass,
                invalidation=flags.learning_invalidation, capture=flags.replay_capture,
            )  # fmt: skip
            ledger.listen(lambda _: router.announce())
            polls = _polls(opened, ledger, folder, snapshots, flags.archive_at_mb << 20)
            watch = Watch(clock, polls, coordinated=flags.cadence_coordination)
            if background:
                watch.start()
            brisk = background and interpreter.hold(flags.switch_interval_us / 1e6)
        except BaseException:
            ledger.close() if ledger is not None else opened.close()
            raise
        return cls(opened, ledger, folder, snapshots, router, watch, example=example, brisk=brisk)

    def record_result(
        self,
        decision_id: str | None = None,
        *,
        arm: str | None = None,
        task: Task | None = None,
        success: bool | None = None,
        latency_ms: float | None = None,
        ttft_ms: float | None = None,
        cost_usd: float | None = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        error: str | None = None,
        step: int = 0,
        verified: bool | None = None,
        retry_after_s: float | None = None,
        model_served: str | None = None,
    ) -> None:
        """What came of a decision; see CONTRACT: repeats change nothing, corrections replace."""
        numbers = (latency_ms, ttft_ms, cost_usd, tokens_in, tokens_out, retry_after_s)
        self._router.results.record(decision_id, arm, task, step, success, error, verified, model_served, numbers)

    def flush(self, timeout: float | None = None) -> None:
        """Return once everything recorded so far is in the ledger."""
        self.ledger.flush(timeout)

    async def aflush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the ledger keeps the time
        await anyio.to_thread.run_sync(self.ledger.flush, timeout)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.advise = self.record = _refuse
        self._watch.stop()
        try:
            self.ledger.flush()
            self._opened.sight()
            self._snapshots.save(self.folder, self.ledger.root_at)
        finally:
            self.ledger.close()
            if self._brisk:
                interpreter.release()

    def explain(self, decision_id: str) -> Explanation:
        """Decide it again as it was, and say why it came out so."""
        self.flush()
        self.folder.catch_up()
        return History(self.ledger, self._router.strategies).explain(
            decision_id, parse(decision_id, self._router.key).position
        )

    def replay(self, since: int = 1, until: int | None = None) -> Parity:
        """Decide every recorded decision again from the log alone, and compare the paths."""
        self.flush()
        return History(self.ledger, self._router.strategies).replay(since, until)

    def cadence(self) -> tuple[Entry, ...]:
        """Every recurring piece of work of this plane."""
        return self._watch.list()

    def stats(self) -> Stats:
        return stats_of(self.folder.state(ROUTER), self._router.care, self.ledger.clock.now())

    def __enter__(self) -> "ControlPlane":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "ControlPlane":
        return self

    async def __aexit__(self, *_: object) -> None:
        await anyio.to_thread.run_sync(self.close)


def _open_ledger(opened: Opened, flags: Flags, clock: Clock) -> Ledger:
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


def _fold(opened: Opened, ledger: Ledger) -> tuple[Folder, Snapshots]:
    """The newest snapshot that fits, then what the log has beyond it."""
    folder = Folder(ledger, PROJECTIONS)
    snapshots = Snapshots(opened.home.snapshots, blake2b(secret_of(opened.home), person=b"snapshots").digest())
    snapshots.load(folder, PROJECTIONS, ledger.root_at)
    folder.follow()
    return folder, snapshots


def _polls(opened: Opened, ledger: Ledger, folder: Folder, snapshots: Snapshots, archive_at: int) -> tuple[Poll, ...]:
    def follow() -> None:
        follow_others(ledger.changed, folder.catch_up)

    def keep() -> None:
        snapshots.save(folder, ledger.root_at)

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
    )


def _declare(
    ledger: Ledger, state: RouterState, arms: Arms, policy: Policy, surroundings: dict[str, str], clock: Clock
) -> str:
    """Say under which catalogue and policy this process decides, unless the log says so already."""
    declared = declaration_hash(arms, policy, surroundings)
    if state.declared != declared:
        fact = CatalogueDeclared(
            at=clock.now(),
            arms=arms.all,
            policy=policy,
            policy_hash=policy.hash,
            environment=surroundings,
            declared=declared,
        )
        ledger.append("router", [fact])
    return declared


def _identity(home: Home, flags: Flags, declared: str) -> Identity:
    process = secrets.token_hex(4)
    seed = int.from_bytes(sha256(f"router:{flags.replay_seed or process}".encode()).digest()[:8])
    return Identity(blake2b(secret_of(home), person=b"decisions").digest(), process, seed, declared)


def surroundings(flags: Flags) -> dict[str, str]:
    """What may make the same inputs decide differently, were it not recorded."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": sys.platform,
        "version": __version__,
        **{name: str(value) for name, value in flags.model_dump().items() if name in _DECIDING},
    }


def declaration_hash(arms: Arms, policy: Policy, found: dict[str, str]) -> str:
    """The short name under which decisions refer to everything that was declared."""
    return sha256(msgspec.json.encode((arms.hash, policy.hash, found), order="sorted")).hexdigest()[:16]


def secret_of(home: Home) -> bytes:
    """A secret of the home that outlives its signing keys: what was issued under it stays good after a rotation."""
    path = home.key.with_name("ids.key")
    if not path.exists():
        with home.locked():
            if not path.exists():
                write_private(path, secrets.token_bytes(32))
    return path.read_bytes()


def _refuse(*_: object, **__: object) -> Any:
    raise LedgerClosed("this control plane is closed", cure="open another one")

"""The composition root: opens the ledger, folds it, hands each service what it needs, closes in order."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from . import interpreter
from .access.audit import Audit
from .assembly import (
    book_of,
    check_router,
    fold,
    follower,
    live_flags,
    memory_of,
    open_ledger,
    open_named,
    policy_of,
    polls,
    review_queue,
    router_of,
)
from .cadence import Entry
from .clock import Clock
from .errors import LedgerClosed
from .flags import FIELDS, Explained, Flags, explain
from .governance.live import LiveFlags
from .health import Health, Seen, health_of, unready
from .learning.projection import LEARNING
from .learning.service import Ingested, Learning
from .learning.teaching import Taught
from .ledger.leaf import leaf_bytes
from .ledger.ledger import Ledger
from .ledger.opening import Opened
from .memory.service import Memory
from .projections.folding import Folder
from .projections.snapshots import Snapshots
from .review.service import Review
from .router.catalogue import declared_arms, named_arms, read_settings
from .router.decision_id import Parsed, parse
from .router.events import ParityMeasured
from .router.explain import Explanation
from .router.history import History
from .router.projection import ROUTER
from .router.replay import Parity
from .router.service import Router
from .router.sim_report import Simulation, SimulationRequest
from .router.simulation import Told
from .router.stats import Stats, stats_of
from .router.strategies import STRATEGIES, Strategy
from .router.terms import Arm, Policy, Task
from .version import __version__
from .watching import Watch

if TYPE_CHECKING:
    from .bridge.service import Bridge
    from .dogfood.service import Dogfood
    from .evidence.service import EvidenceBook
    from .governance.document import PolicyDocument
    from .governance.flips import Flips
    from .governance.milestone_service import Milestones
    from .governance.plugin_service import Supervisor
    from .governance.rules import Retrieval
    from .governance.service import Policies
    from .guardrails.service import Guard
    from .runner.service import RunBook
    from .turns.service import TurnBook


class ControlPlane:
    """One open ledger with all that stands on it. Make it with `ControlPlane.open`."""

    def __init__(
        self, opened: Opened, ledger: Ledger, folder: Folder, snapshots: Snapshots, router: Router, watch: Watch,
        flags: LiveFlags, *, example: bool, brisk: bool,
    ) -> None:  # fmt: skip
        self.ledger, self.folder, self._flags = ledger, folder, flags
        self.example, self._brisk = example, brisk
        self._opened, self._snapshots, self._router, self._watch = opened, snapshots, router, watch
        self._closed = False
        self.advise, self.record = router.advise, ledger.record

    @classmethod
    def open(
        cls, home: str | os.PathLike[str] | None = None, *, state_dir: str | os.PathLike[str] | None = None,
        catalogue: Iterable[Arm] | None = None, policy: Policy | None = None, clock: Clock | None = None,
        strategies: Sequence[Strategy] = STRATEGIES, flags: Flags | None = None, background: bool = True,
    ) -> "ControlPlane":  # fmt: skip
        """Open, or make, the control plane in `home`; `background=False` is for one command that ends at once."""
        clock = clock or Clock()
        settings = read_settings(Path.cwd())
        named = named_arms(catalogue, settings)
        opened = open_named(home, state_dir, clock)
        ledger = None
        try:
            opened.check()
            opened.recover()
            folder, snapshots = fold(opened)
            live = live_flags(flags, folder)
            flags = live.now()
            ledger = open_ledger(opened, flags, clock)
            folder.mark(ledger.stream)
            folder.follow(ledger)
            arms, example = named or declared_arms(folder.state(ROUTER).arms)
            policy = policy_of(policy, folder, flags, settings)
            router = router_of(opened, ledger, folder, arms, policy, flags, strategies)
            recurring = polls(opened, ledger, folder, snapshots, live.now)
            watch = Watch(clock, recurring, coordinated=flags.cadence_coordination, follower=follower(opened, folder))
            if background:
                watch.start()
            brisk = background and interpreter.hold(flags.switch_interval_us / 1e6)
        except BaseException:
            ledger.close() if ledger is not None else opened.close()
            raise
        plane = cls(opened, ledger, folder, snapshots, router, watch, live, example=example, brisk=brisk)
        with contextlib.ExitStack() as undo:
            undo.callback(plane.close)
            if flags.learning_signing_mode != folder.state(LEARNING).mode:
                plane.learning.declare_mode()
            undo.pop_all()
        return plane

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
        """What came of a decision, or of an arm without one: repeats change nothing, corrections replace."""
        numbers = (latency_ms, ttft_ms, cost_usd, tokens_in, tokens_out, retry_after_s)
        self._router.results.record(decision_id, arm, task, step, success, error, verified, model_served, numbers)

    def flush(self, timeout: float | None = None) -> None:
        """Return once everything recorded so far is in the ledger."""
        self.ledger.flush(timeout)

    async def aflush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the ledger keeps the time
        """`flush` for callers that must not block."""
        await anyio.to_thread.run_sync(self.ledger.flush, timeout)

    def close(self) -> None:
        """Commit what was recorded and let go of the home; what cannot be committed stays in the journal."""
        if self._closed:
            return
        self._closed = True
        self.advise = self.record = _refuse
        self._watch.stop()
        try:
            if "learning" in self.__dict__:
                self.learning.flush()
            if "guard" in self.__dict__:
                self.guard.absorb()
            self.ledger.flush()
            self._opened.sight()
            self._snapshots.save(self.folder, self.ledger.root_at)
        finally:
            self.ledger.close()
            if self._brisk:
                interpreter.release()

    @cached_property
    def learning(self) -> Learning:
        """What agents learned, and the way in for their records."""
        return Learning(
            self.ledger,
            self.folder,
            lambda: self.flags.learning_signing_mode,
            invalidation=self.flags.learning_invalidation,
        )

    def learn(self, record: bytes | str) -> Ingested:
        """One signed record, let in or refused with its reason."""
        return self.learning.learn(record)

    def explain(self, decision_id: str) -> Explanation:
        """Decide it again as it was, and say why it came out so; `last` is the last decision of the log."""
        self.flush()
        self.folder.catch_up()
        decision_id = self._history().named(decision_id, self.ledger.size)
        return self._history().explain(decision_id, parse(decision_id, self._router.key).position)

    def replay(self, since: int = 1, until: int | None = None) -> Parity:
        """Decide every recorded decision again from the log alone, and compare the paths; the share is recorded."""
        self.flush()
        found = self._history().replay(since, until)
        at = self.ledger.clock.now()
        self.ledger.append("router", [ParityMeasured(at=at, decisions=found.decisions, matched=found.matched)])
        return found

    def simulate(
        self, policy: "Policy | PolicyDocument | None" = None, *, request: SimulationRequest | None = None,
        since: int = 1, until: int | None = None, told: Callable[[Told], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Simulation:  # fmt: skip
        """What a policy would have chosen on every recorded decision, and what that would have come to."""
        from .simulating import simulate  # noqa: PLC0415 - a plane that only routes needs none of it

        self.flush()
        note, _ = self.ledger.checkpoint()
        return simulate(self._opened, note, self._history(), policy, request, since, until, told, progress)

    def _history(self) -> History:
        return History(self.ledger, self._router.strategies, Taught())

    def subject_of(self, decision_id: str | None) -> Parsed:
        """What a decision's id says of it; refused unless this ledger issued it."""
        return parse(decision_id, self._router.key)

    def cadence(self) -> tuple[Entry, ...]:
        """Every recurring piece of work of this plane."""
        return self._watch.list()

    @cached_property
    def review(self) -> Review:
        """What waits for a person."""
        return review_queue(self.ledger, self.folder, lambda: self.flags)

    @cached_property
    def memory(self) -> Memory:
        """What somebody asked to keep."""
        return memory_of(self._opened, self.ledger, self.folder, lambda: self.flags)

    @property
    def flags(self) -> Flags:
        """What every flag is worth now: the environment of the opening, above flips, above the defaults."""
        return self._flags.now()

    @cached_property
    def policies(self) -> "Policies":
        """Policies and their life, from draft to enforce and back."""
        from .governance.service import Policies  # noqa: PLC0415 - a plane that only routes needs none of it

        return Policies(book_of(self._opened, self.ledger, self.folder, self._flags), check_router, self._retrieval)

    def _retrieval(self) -> "Retrieval | None":
        """What a promotion has to know of the memory, when there is one."""
        from .governance.rules import Retrieval  # noqa: PLC0415 - as above

        quality = self.memory.quality()
        return Retrieval(quality.level, quality.reason) if quality.counts else None

    @cached_property
    def flips(self) -> "Flips":
        """Flags that are flipped by an event while everything runs."""
        from .governance.flips import Flips  # noqa: PLC0415 - as above

        book = book_of(self._opened, self.ledger, self.folder, self._flags)
        return Flips(book, self.policies.simulated, self.milestones.check_flip)

    @cached_property
    def guard(self) -> "Guard":
        """What agents may write, and what is checked when they stop."""
        from .guardrails.service import Guard, project_of  # noqa: PLC0415 - as above

        home = str(self._opened.home.root)
        return Guard(self.ledger, self.folder, lambda: self.flags, home, project_of(home), os.environ)

    @cached_property
    def turns(self) -> "TurnBook":
        """Turns of OpenCode: advice beside what was done, and what came of it."""
        from .turns.service import TurnBook  # noqa: PLC0415 - as above

        arms, policy = self._router.arms.all, self._router.policy
        models = {arm.served_by: (arm.name, arm.price_in or 0.0, arm.price_out or 0.0) for arm in arms if not arm.steps}
        cautious = policy == Policy(tail_slo=policy.tail_slo)
        return TurnBook(self.ledger, self.folder, self, Task, models, cautious=cautious)

    @cached_property
    def runs(self) -> "RunBook":
        """Runs of workers, and what came of them."""
        from .runner.service import RunBook  # noqa: PLC0415 - as above

        models = {arm.served_by: arm.name for arm in self._router.arms.all if not arm.steps}
        return RunBook(self.ledger, self.folder, self, Task, models, self._opened.home.root)

    @cached_property
    def bridge(self) -> "Bridge":
        """Threads in which agents write to each other."""
        from .bridge.service import Bridge  # noqa: PLC0415 - as above

        return Bridge(self.ledger, self.folder, self._opened.backend.row_of)

    @cached_property
    def evidence(self) -> "EvidenceBook":
        """What proofs left behind, signed and recorded."""
        from .evidence.service import EvidenceBook  # noqa: PLC0415 - a plane that only routes needs none of it

        opened = self._opened
        return EvidenceBook(
            self.ledger, self.folder, lambda: opened.authority().signer, lambda: opened.keyring().current()
        )

    @cached_property
    def dogfood(self) -> "Dogfood":
        """The runs of the dogfood suite."""
        from .dogfood.service import Dogfood  # noqa: PLC0415 - as above

        return Dogfood(self.ledger, self.folder, lambda: self._opened.authority().signer)

    @cached_property
    def milestones(self) -> "Milestones":
        """Which parts of the plan may go on."""
        from .governance.milestone_service import Milestones  # noqa: PLC0415 - as above

        return Milestones(self.ledger, self.folder)

    @cached_property
    def plugins(self) -> "Supervisor":
        """How the plugins are, and which of them are in quarantine."""
        from .governance.plugin_service import Supervisor  # noqa: PLC0415 - as above

        return Supervisor(self.ledger, self.folder)

    def explained_flags(self) -> tuple[Explained, ...]:
        """Every flag, what it is worth, and who says so."""
        held = self.flips.held()
        return tuple(explain(name, os.environ, held) for name in FIELDS)

    def health(self) -> Health:
        """How the whole house is, with the reasons."""
        with self.folder.still():
            return health_of(
                Seen(
                    version=__version__, position=self.folder.position, state=self.folder.state(ROUTER),
                    stats=self._figures(), review=self.review.status(), quality=self.memory.quality(),
                    counters=self.ledger.counters, backlog=self.ledger.backlog, rejected=self.learning.counts().reasons,
                    polls=self._watch.summary(), witness=self._opened.witness,
                )
            )  # fmt: skip

    def not_ready(self) -> str:
        """Why nothing should be asked of this plane now; empty when all is well."""
        return "it is closed" if self._closed else unready(self._opened, self.ledger.counters)

    @cached_property
    def audit(self) -> Audit:
        """A record of who was refused at the door."""
        return Audit(self.record, self.ledger.clock)

    @property
    def version(self) -> str:
        """The version of the program."""
        return __version__

    @property
    def token_file(self) -> Path:
        """Where the home's own access token lies."""
        return self._opened.home.root / "token"

    def verifier_key(self) -> str:
        """What the newest checkpoint is checked with."""
        signer = self._opened.authority().signer
        return str(signer.verifier) if signer is not None else ""

    def leaf(self, position: int) -> bytes:
        """The exact bytes of an event that were signed."""
        (row,) = self.ledger.rows(position - 1, 1)
        return leaf_bytes(*row[1:])

    def stats(self) -> Stats:
        """The router in figures, with what this process recorded, unless that cannot be committed within a second."""
        self.ledger.settle(1.0)
        self.folder.catch_up()
        return self._figures()

    def _figures(self) -> Stats:
        return stats_of(self.folder.state(ROUTER), self._router.care, self.ledger.clock.now())

    def __enter__(self) -> "ControlPlane":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "ControlPlane":
        return self

    async def __aexit__(self, *_: object) -> None:
        await anyio.to_thread.run_sync(self.close)


def _refuse(*_: object, **__: object) -> Any:
    raise LedgerClosed("this control plane is closed", cure="open another one")

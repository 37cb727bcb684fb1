"""Everything that the page shows, looked at in one go."""

from typing import Any, Final

import msgspec

from ..governance import rules
from ..governance.state import STAGES
from ..health import Health
from ..plane import ControlPlane
from ..review.service import Status as ReviewStatus
from ..router.projection import ROUTER
from .figures import WINDOWS, ArmFigures, figures, fitting
from .recent import Bypass, Move, Recent, Step
from .waiting import Waits, waits

STEPS: Final = 8


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """`first_position` is where it begins in the log; `whole` is false when more happened than is kept."""

    seconds: int
    begin: float
    now: float
    first_position: int
    given: int
    results: int
    whole: bool


class Gate(msgspec.Struct, frozen=True):
    kind: str
    verdict: str
    words: str
    asked: bool
    report: dict[str, Any] | None


class PolicyPanel(msgspec.Struct, frozen=True, kw_only=True):
    policy: str
    revision: int
    hash: str
    stage: str
    share: float | None
    canary_share: float
    paused: bool
    in_force: bool
    next: str | None
    gates: list[Gate]
    steps: list[Step]


class Head(msgspec.Struct, frozen=True):
    """The newest signed checkpoint; what is shown of it is believed only once it was verified."""

    size: int
    root: str
    key: str


class Panels(msgspec.Struct, frozen=True, kw_only=True):
    head: Head
    window: Window
    health: Health
    arms: list[ArmFigures]
    penalties: dict[str, float]
    moves: list[Move]
    bypasses: list[Bypass]
    stages: tuple[str, ...]
    policies: list[PolicyPanel]
    review: ReviewStatus
    waits: Waits
    flags: list[dict[str, str]]


class Looker:
    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._recent = Recent(plane.ledger)

    def look(self, seconds: int | None) -> Panels:
        """`seconds` is one of the windows; None takes the shortest that holds the newest result."""
        plane, recent = self._plane, self._recent
        plane.folder.catch_up()
        now = plane.ledger.clock.now()
        with recent.lock:
            recent.catch_up()
            window, arms = self._figures(seconds, now)
            moves, bypasses = list(recent.moves), list(recent.bypasses.values())
            steps = {name: list(found)[-STEPS:] for name, found in recent.steps.items()}
        return Panels(
            head=self._head(),
            window=window,
            health=plane.health(),
            arms=arms,
            penalties=dict(plane.folder.state(ROUTER).penalties),
            moves=moves[::-1][:20],
            bypasses=[one for one in bypasses if one.until is not None],
            stages=STAGES,
            policies=[self._policy(one.policy, steps) for one in plane.policies.list()],
            review=plane.review.status(),
            waits=waits(plane),
            flags=[one._asdict() for one in plane.explained_flags()],
        )

    def _head(self) -> Head:
        checkpoint = self._plane.ledger.checkpoint()[1]
        return Head(checkpoint.size, checkpoint.root.hex(), self._plane.verifier_key())

    def _figures(self, seconds: int | None, now: float) -> tuple[Window, list[ArmFigures]]:
        recent = self._recent
        newest = max(
            [one.at for one in recent.results.values()] + [one.at for one in list(recent.given)[-1:]], default=None
        )
        seconds = seconds if seconds in WINDOWS else fitting(newest, now)
        begin = now - seconds
        results = [one for one in recent.results.values() if one.at >= begin]
        given = [one for one in recent.given if one.at >= begin]
        kept = min(
            next(iter(recent.results.values())).position if recent.results else recent.first,
            recent.given[0].position if recent.given else recent.first,
        )
        first = min([one.position for one in results] + [one.position for one in given], default=recent.position + 1)
        window = Window(
            seconds=seconds,
            begin=begin,
            now=now,
            first_position=first,
            given=len(given),
            results=len(results),
            whole=first > kept or recent.first == 1,
        )
        with self._plane.folder.still():
            names = list(self._plane.folder.state(ROUTER).arms)
        return window, figures(names, results, given, begin, now)

    def _policy(self, name: str, steps: dict[str, list[Step]]) -> PolicyPanel:
        policies = self._plane.policies
        shown = policies.show(name)
        place = STAGES.index(shown.stage) + 1
        following = STAGES[place] if place < len(STAGES) else None
        asked = rules.GATES.get(following or "", ())
        return PolicyPanel(
            policy=name,
            revision=shown.policy_revision,
            hash=shown.policy_hash,
            stage=shown.stage,
            share=shown.share,
            canary_share=policies.document(name).canary_share,
            paused=shown.paused,
            in_force=shown.in_force,
            next=following,
            gates=[
                Gate(
                    kind, judged.verdict, judged.words, kind in asked,
                    None if judged.report is None else msgspec.to_builtins(judged.report),
                )
                for kind, judged in policies.judge(name).items()
            ],
            steps=steps.get(name, [])[::-1],
        )  # fmt: skip

"""Everything that wants a person, from every room, in one list, each with the one thing to do."""

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Final, Literal

import msgspec

from ..bridge.projection import BRIDGE
from ..bridge.state import BridgeState
from ..bridge.terms import Status
from ..governance.plugin_service import PLUGINS
from ..governance.plugins import Plugins
from ..governance.projection import POLICIES
from ..governance.state import GovernanceState
from ..guardrails.projection import GUARD
from ..guardrails.state import State as GuardState
from ..plane import ControlPlane
from ..review.projection import REVIEW
from ..review.state import Queue

MOST: Final = 20
Kind = Literal["review", "paused policy", "plugin in quarantine", "guard hit", "blocked thread", "undelivered wake"]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """`topic`, `field` and `value` find its events; `command` is what to say where the page has no button for it."""

    kind: Kind
    name: str
    since: float
    words: str
    topic: str
    field: str
    value: str
    command: str = ""
    rule: str = ""


class Waits(msgspec.Struct, frozen=True):
    counts: dict[str, int]
    oldest: list[Waiting]


def waits(plane: ControlPlane) -> Waits:
    """The oldest of all, and how many there are of each kind."""
    folder = plane.folder
    with folder.still():
        guard: GuardState = folder.state(GUARD)
        bare = sum(hit.label is None for hit in guard.hits.values())
        found = [
            *_reviews(folder.state(REVIEW)),
            *_policies(folder.state(POLICIES)),
            *_plugins(folder.state(PLUGINS)),
            *islice(_hits(guard), MOST),
            *_threads(folder.state(BRIDGE)),
        ]
    counts: dict[str, int] = {}
    for one in found:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    if bare:
        counts["guard hit"] = bare
    return Waits(counts, heapq.nsmallest(MOST, found, key=lambda one: one.since))


def _reviews(queue: Queue) -> list[Waiting]:
    return [
        Waiting(
            kind="review", name=name, since=item.since, words=f"{item.kind}: {item.evidence}", topic="review.",
            field="item", value=name,
        )
        for name, item in queue.waiting.items()
    ]  # fmt: skip


def _policies(state: GovernanceState) -> list[Waiting]:
    return [
        Waiting(
            kind="paused policy", name=name, since=standing.changed_at, topic="policy.", field="policy", value=name,
            words="its artifact was not conclusive", command=f"control-plane simulate {name}.toml",
        )
        for name, standing in state.policies.items()
        if standing.paused is not None
    ]  # fmt: skip


def _plugins(state: Plugins) -> list[Waiting]:
    return [
        Waiting(
            kind="plugin in quarantine", name=name, since=plugin.since, words=plugin.reason, topic="plugin.",
            field="plugin", value=name, command=f"control-plane plugins release {name} --actor YOU --reason WHY",
        )
        for name, plugin in state.known.items()
        if plugin.state == "quarantine"
    ]  # fmt: skip


def _hits(state: GuardState) -> Iterator[Waiting]:
    """Oldest first, as they came; the others are only counted."""
    for key, hit in state.hits.items():
        if hit.label is None:
            decision = key.partition("\n")[0]
            yield Waiting(
                kind="guard hit", name=decision, since=hit.at, topic="guard.", field="decision", value=decision,
                words=f"{hit.rule} would {hit.would}, did {hit.live}: {hit.path}", rule=hit.rule,
            )  # fmt: skip


def _threads(state: BridgeState) -> list[Waiting]:
    found = []
    for name, thread in state.threads.items():
        if thread.archived:
            continue
        if thread.status == Status.BLOCKED:
            found.append(
                Waiting(
                    kind="blocked thread", name=name, since=thread.updated, words="it waits for an answer",
                    topic="bridge.", field="thread", value=name,
                    command=f"control-plane bridge unblock-thread --thread-id {name} --reason WHY",
                )
            )  # fmt: skip
        found += [
            Waiting(
                kind="undelivered wake", name=f"{name} → {agent}", since=thread.since.get(agent, thread.updated),
                words=why, topic="bridge.", field="thread", value=name,
                command=f"control-plane bridge inspect-thread --thread-id {name}",
            )
            for agent, (_, why) in thread.undeliverable.items()
        ]  # fmt: skip
    return found

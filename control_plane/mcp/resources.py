"""Policies, decisions and threads as resources: `policy://NAME`, `decision://ID` and `thread://ID`, as JSON."""

from typing import Any

import msgspec
from mcp_types import Resource, ResourceTemplate

from ..errors import BadInput
from ..plane import ControlPlane
from ..router.events import AdviceGiven
from .bridge import actor_in
from .tooling import Call

JSON = "application/json"
# Of the log's end, so many events are looked through for decisions, and so many are listed.
LOOKED_THROUGH, MOST_LISTED = 500, 20

TEMPLATES = (
    ResourceTemplate(
        uri_template="policy://{name}", name="policy", title="A policy", mime_type=JSON,
        description="Its stage on the way from draft to enforce, what its gates say, and its content.",
    ),
    ResourceTemplate(
        uri_template="decision://{decision_id}", name="decision", title="A decision", mime_type=JSON,
        description="Why that arm: every score, who was left out, and what would have changed it.",
    ),
    ResourceTemplate(
        uri_template="thread://{thread_id}", name="thread", title="A thread", mime_type=JSON,
        description="How a thread of the bridge stands; who listens to it is told when it changes.",
    ),
)  # fmt: skip


class NoResource(BadInput):
    """No resource has that address."""

    code = "mcp.no-resource"


def listed(plane: ControlPlane) -> list[Resource]:
    """Every policy, and the newest decisions."""
    policies = [
        Resource(uri=f"policy://{one.policy}", name=one.policy, mime_type=JSON, description=f"policy, {one.stage}")
        for one in plane.policies.list()
    ]
    return policies + [
        Resource(
            uri=f"decision://{one.decision}", name=one.decision, mime_type=JSON,
            description=f"{one.arm} for {one.task_type}",
        )
        for one in _newest(plane)
    ]  # fmt: skip


def read(call: Call, uri: str) -> str:
    kind, _, name = uri.partition("://")
    plane = call.plane
    if kind == "thread" and name:
        asked = msgspec.json.encode({"thread_id": name})
        return msgspec.json.encode(plane.bridge.call("get_thread", actor_in(call), asked)).decode()
    if kind == "policy" and name:
        return msgspec.json.encode(_policy(plane, name)).decode()
    if kind == "decision" and name:
        return msgspec.json.encode(plane.explain(name)).decode()
    raise NoResource(f"there is no resource {uri[:200]!r}", cure="policy://NAME, decision://ID or thread://ID")


def _policy(plane: ControlPlane, name: str) -> dict[str, Any]:
    standing = plane.policies.show(name)
    gates = {kind: judged.verdict for kind, judged in plane.policies.judge(name).items()}
    return {"standing": standing, "gates": gates, "document": plane.policies.document(name)}


def _newest(plane: ControlPlane) -> list[AdviceGiven]:
    plane.flush()
    rows = plane.ledger.rows(max(0, plane.ledger.size() - LOOKED_THROUGH), LOOKED_THROUGH)
    facts = (plane.ledger.decoded(row).event for row in reversed(rows) if row[3] == AdviceGiven.TOPIC)
    return [fact for fact, _ in zip(facts, range(MOST_LISTED), strict=False) if isinstance(fact, AdviceGiven)]

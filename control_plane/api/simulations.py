"""A policy tried on the real history; evidence, never an activation."""

from typing import Annotated, Any

import anyio
import anyio.to_thread
import msgspec
from litestar import Request, post
from litestar.params import JSONBody

from ..access.tokens import may
from ..errors import BadInput
from ..governance.document import PolicyDocument, read_policy
from ..plane import ControlPlane
from ..router.sim_report import Fidelity, Simulation, SimulationRequest
from ..simulating import PolicyDiffers, artifact, request_of
from .given import Plane

PATH = "/api/orchestration/policy-sim"
Position = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
Milliseconds = Annotated[float, msgspec.Meta(gt=0.0, le=3_600_000.0)]
Text = Annotated[str, msgspec.Meta(max_length=500)]
# It reads the whole log: one at a time leaves the processor to those who ask for advice.
_one_by_one = anyio.Lock()


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a decision must tell to be evidence; what is left out is as the policy's document says."""

    signing_mode: str | None = None
    replay_seed: Text | None = None
    trace_ids_required: bool | None = None
    minimum_fidelity: Fidelity | None = None
    p95_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None


class SimulationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy by its document (TOML) or by the name it was proposed under; neither tries the recorded one again."""

    document: Annotated[str, msgspec.Meta(min_length=1, max_length=200_000)] | None = None
    name: Text | None = None
    events: Annotated[tuple[Text, ...], msgspec.Meta(max_length=10_000)] | None = None
    policy: Asked = Asked()
    since: Position = 1
    until: Position | None = None


@post(PATH, status_code=200, summary="What a policy would have chosen on the real history, and what it would come to")
async def simulation(data: JSONBody[SimulationBody], request: Request[Any, Any, Any], plane: Plane) -> dict[str, Any]:
    """`artifact` is the signed simulation that `advance` takes, where the policy was proposed with this content."""
    may(request.state.caller, "operator")
    async with _one_by_one:
        return await anyio.to_thread.run_sync(_simulated, plane, data)


def _simulated(plane: ControlPlane, data: SimulationBody) -> dict[str, Any]:
    if data.document is not None and data.name is not None:
        raise BadInput("document and name are both given", cure="give one of them")
    document = read_policy(data.document) if data.document is not None else None
    if data.name is not None:
        document = plane.policies.document(data.name)
    asked = request_of(document) if document is not None else SimulationRequest()
    told = {name: value for name in Asked.__struct_fields__ if (value := getattr(data.policy, name)) is not None}
    try:
        asked = msgspec.convert({**msgspec.to_builtins(asked), **told, "events": data.events}, SimulationRequest)
    except msgspec.ValidationError as fault:
        raise BadInput("policy cannot be read", why=str(fault)) from None
    found = plane.simulate(document, request=asked, since=data.since, until=data.until)
    return {**found.as_facts(), "artifact": _artifact(plane, document, found)}


def _artifact(plane: ControlPlane, document: PolicyDocument | None, found: Simulation) -> str | None:
    """None where there is nothing that it could be bound to."""
    if document is None or document.name not in {one.policy for one in plane.policies.list()}:
        return None
    try:
        return artifact(plane.policies, document, found).decode()
    except PolicyDiffers:
        return None


HANDLERS = (simulation,)

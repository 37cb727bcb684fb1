"""A simulation from outside: the log it reads, the request out of a policy's file, the artifact that it signs."""

from collections.abc import Callable

from .assembly import router_policy
from .errors import BadInput
from .governance.artifacts import SimulationReport
from .governance.document import PolicyDocument
from .governance.service import Policies
from .ledger.notes import Note
from .ledger.opening import Opened
from .router.history import History
from .router.sim_report import Simulation, SimulationRequest
from .router.simulation import Signed, Told
from .router.terms import Policy


class PolicyDiffers(BadInput):
    """A policy of that name was proposed with another content."""

    code = "policy.differs"


def simulate(
    opened: Opened,
    note: str,
    history: History,
    policy: Policy | PolicyDocument | None,
    request: SimulationRequest | None,
    since: int,
    until: int | None,
    told: Callable[[Told], None] | None,
    progress: Callable[[int, int], None] | None,
) -> Simulation:
    """A policy's document brings its own request; None tries the recorded policy again."""
    if isinstance(policy, PolicyDocument):
        request = request or request_of(policy)
        policy = router_policy(policy.router)
    request = request or SimulationRequest()
    return history.simulate(policy, request, signed_by(opened, note), since, until, told=told, progress=progress)


def request_of(document: PolicyDocument) -> SimulationRequest:
    asked = document.simulation
    return SimulationRequest(
        signing_mode=asked.signing_mode,
        replay_seed=asked.replay_seed,
        trace_ids_required=asked.trace_ids_required,
        minimum_fidelity=asked.minimum_fidelity,
        p95_ms=asked.p95_ms,
        p99_ms=asked.p99_ms,
    )


def signed_by(opened: Opened, note: str) -> Signed:
    """How much of the log the newest checkpoint covers, and whether a key of this ledger made it."""
    parsed = Note.parse(note)
    size = parsed.checkpoint().size
    return Signed(size, bool(parsed.signed_by(opened.keyring().valid_at(size))))


def artifact(policies: Policies, document: PolicyDocument, found: Simulation) -> bytes:
    """The simulation under this host's key, bound to the policy as it was proposed and to the history that was seen."""
    seen = found.provenance
    bound = policies.bound_at(document.name, min(seen.until, seen.ledger_position))
    if bound.policy_hash != document.hash:
        raise PolicyDiffers(
            f"{document.name} was proposed with another content",
            why="an artifact speaks of the policy that was proposed",
            cure="propose this file first: control-plane policy propose",
        )
    report = SimulationReport(
        **{name: getattr(bound, name) for name in bound.__struct_fields__},
        passed=found.passed,
        total=found.total,
        accepted=found.accepted,
        rejected=found.rejected,
        acceptance_ratio=found.acceptance_ratio,
        risk=found.risk.level,
        inconclusive=found.risk.inconclusive,
        details=found.as_facts(),
    )
    return policies.sealed(report)

"""From a checked token to somebody whom the bridge knows."""

from .faults import Unauthorized
from .rules import Actor

# The house's own roles, as the bridge sees them.
_ROLES = {"admin": "coordinator", "operator": "coordinator", "viewer": "auditor"}


def actor_of(
    role: str, agent: str | None, workspace: str | None, session: str | None, request: str, *, owner: bool
) -> Actor:
    """`owner`: whoever holds the home's own token; he may speak for any agent, in any workspace."""
    if not owner and not all(isinstance(named, str) and named for named in (agent, workspace)):
        raise Unauthorized("the token names no agent or no workspace", cure="issue one with agent_id and workspace_id")
    return Actor(agent or "owner", _ROLES.get(role, role), workspace, session, request)

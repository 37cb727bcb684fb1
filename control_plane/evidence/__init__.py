"""What a proof leaves behind: one template for every item, written once, checked by machine."""

from .environment import Environment, snapshot
from .store import check, schema, write
from .template import Artifact, Criterion, Evidence, Governance, Metrics, Rollback, at_least, at_most, equal

__all__ = [
    "Artifact",
    "Criterion",
    "Environment",
    "Evidence",
    "Governance",
    "Metrics",
    "Rollback",
    "at_least",
    "at_most",
    "check",
    "equal",
    "schema",
    "snapshot",
    "write",
]
